"""Certificates: what they are, when they are exchanged, and that nobody is refused meanwhile."""

import base64
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.resources import SECRETS, VALIDATING_WEBHOOKS
from kube.errors import AlreadyExists, Conflict, Forbidden, KubeError, NotFound
from ops.metrics import Metrics
from testing.apiserver import MemoryApi
from webhook import certificates, configuration, secret
from webhook.certificates import Pair
from webhook.errors import UnusableCertificate
from webhook.metrics import WebhookMetrics
from webhook.rotation import TIMING
from webhook.serving import Serving, context_of
from webhook.sources import Files, Names, OwnSecret

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = Names("fake-system", "hook", "hook-certificate", "hook")
HOSTS = NAMES.hosts
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class Day:
    """A time of day that moves when told to."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def api() -> MemoryApi:
    made = MemoryApi()
    config = configuration.configuration("hook", "hook", "fake-system", ["a.example.com"])
    made.put(VALIDATING_WEBHOOKS, config)
    return made


def now_pair(names: tuple[str, ...] = HOSTS) -> Pair:
    """A pair that is good at the time of the machine, which OpenSSL asks for."""
    return certificates.make(names, datetime.now(UTC), 90 * DAY)


def shakes_hands(server: ssl.SSLContext, trusted: str, host: str = HOSTS[0]) -> bool:
    """Tell whether a client with these authorities trusts a server; without any socket."""
    client = ssl.create_default_context(cadata=trusted)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server.sslsocket_class = ssl.SSLSocket
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = ends
    for _ in range(10):
        waiting = [end for end in waiting if not _done(end)]
        if not waiting:
            return True
    return False


def _done(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return False
    return True


def trusted(api: MemoryApi) -> str:
    return configuration.trusted(api.find(VALIDATING_WEBHOOKS, "hook"))


class TestPair:
    @pytest.mark.parametrize("host", HOSTS)
    def test_proves_who_the_server_is_to_a_strict_client(self, host: str) -> None:
        pair = now_pair()
        assert shakes_hands(context_of(pair), pair.authority, host)

    def test_proves_nothing_to_who_trusts_another(self) -> None:
        assert not shakes_hands(context_of(now_pair()), now_pair().authority)

    def test_either_of_two_is_trusted_by_who_has_both_authorities(self) -> None:
        first, second = now_pair(), now_pair()
        for pair in (first, second):
            for bundle in (first.authority + second.authority, second.authority + first.authority):
                assert shakes_hands(context_of(pair), bundle)

    def test_is_good_for_its_lifetime_also_where_a_clock_is_behind(self) -> None:
        assert certificates.over(certificates.make(HOSTS, START, 90 * DAY)) == START + 90 * DAY

    @pytest.mark.parametrize(
        ("spoil", "told"),
        [
            (lambda pair: replace(pair, key="no key"), "private key cannot be read"),
            (lambda pair: replace(pair, certificate="none"), "certificate cannot be read"),
            (lambda pair: replace(pair, key=now_pair().key), "do not belong together"),
        ],
        ids=["key", "certificate", "other-key"],
    )
    def test_that_is_damaged_is_told(self, spoil: Callable[[Pair], Pair], told: str) -> None:
        pair = spoil(now_pair())
        with pytest.raises(UnusableCertificate, match=told):
            certificates.over(pair)

    def test_shows_no_key(self) -> None:
        assert "PRIVATE" not in repr(now_pair())


class TestOwnSecret:
    def test_is_made_and_trusted(self, api: MemoryApi) -> None:
        pair = OwnSecret(api, NAMES, Day()).look()
        stored = api.find(SECRETS, "hook-certificate", "fake-system")
        assert stored["type"] == "kubernetes.io/tls"
        assert sorted(stored["data"]) == ["ca.crt", "since", "tls.crt", "tls.key"]
        kept = secret.read(stored)
        assert kept is not None
        assert kept.serving == pair
        assert trusted(api) == pair.authority

    def test_nothing_is_written_while_nothing_is_due(self, api: MemoryApi) -> None:
        day = Day()
        source = OwnSecret(api, NAMES, day)
        first = source.look()
        api.calls.clear()
        day.now += 59 * DAY
        assert source.look() == first
        assert api.writes() == []

    def test_replicas_agree(self, api: MemoryApi) -> None:
        pairs = {OwnSecret(api, NAMES, Day()).look() for _ in range(3)}
        assert len(pairs) == 1

    def test_who_is_late_takes_what_the_other_made(self, api: MemoryApi) -> None:
        first, second = OwnSecret(api, NAMES, Day()), OwnSecret(api, NAMES, Day())
        made: list[Pair] = []

        def overtake(verb: str, plural: str, _body: object) -> KubeError | None:
            if (verb, plural) == ("create", "secrets"):
                api.fault = lambda *_: None
                made.append(second.look())
            return None

        api.fault = overtake
        with pytest.raises(AlreadyExists):
            first.look()
        assert [first.look()] == made

    def test_a_rotation_refuses_nobody(self, api: MemoryApi) -> None:
        """Two replicas look at different times; API servers trust what they were told last."""
        day = Day()
        replicas = [OwnSecret(api, NAMES, day) for _ in range(2)]
        served = [replica.look() for replica in replicas]
        seen = {served[0].certificate}
        bundles = {trusted(api).count("BEGIN")}
        day.now += 60 * DAY - MINUTE
        for minute in range(60):
            day.now += MINUTE
            before = trusted(api)
            served[minute % 2] = replicas[minute % 2].look()
            assert all(pair.authority in before for pair in served), minute
            assert all(pair.authority in trusted(api) for pair in served), minute
            seen.add(served[0].certificate)
            bundles.add(trusted(api).count("BEGIN"))
        assert len(seen) == 2
        assert bundles == {1, 2}
        assert trusted(api) == served[0].authority == served[1].authority
        assert certificates.over(served[0]) == START + 150 * DAY

    def test_what_is_not_trusted_yet_does_not_serve(self, api: MemoryApi) -> None:
        day = Day()
        source = OwnSecret(api, NAMES, day)
        first = source.look()
        day.now += 61 * DAY
        api.fault = lambda verb, plural, _body: (
            Forbidden(403) if (verb, plural) == ("update", VALIDATING_WEBHOOKS.plural) else None
        )
        for _ in range(3):
            day.now += TIMING.overlap
            with pytest.raises(Forbidden):
                source.look()
        api.fault = lambda *_: None
        assert source.look() == first
        assert source.look() != first

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda data: data.clear(),
            lambda data: data.update({"tls.crt": "bm9uZQ=="}),
            lambda data: data.update({"tls.key": "%%%"}),
            lambda data: data.update({"since": "bm9uZQ=="}),
            lambda data: data.update({"ca.crt": data["tls.crt"]}),
        ],
        ids=["empty", "no-certificate", "no-base64", "no-time", "other-authority"],
    )
    def test_a_damaged_secret_is_made_anew(
        self, api: MemoryApi, spoil: Callable[[dict[str, str]], None]
    ) -> None:
        source = OwnSecret(api, NAMES, Day())
        first = source.look()
        stored = api.find(SECRETS, "hook-certificate", "fake-system")
        spoil(stored["data"])
        api.rewrite(stored)
        second = source.look()
        assert second != first
        assert trusted(api) == second.authority + first.authority
        assert source.look() == second

    def test_a_deleted_secret_comes_back(self, api: MemoryApi) -> None:
        source = OwnSecret(api, NAMES, Day())
        first = source.look()
        api.remove(SECRETS, "hook-certificate", "fake-system")
        second = source.look()
        assert second != first
        assert trusted(api) == second.authority + first.authority

    @pytest.mark.parametrize("spoil", [None, b"none"], ids=["deleted", "damaged"])
    def test_a_secret_that_is_lost_refuses_nobody(
        self, api: MemoryApi, spoil: bytes | None
    ) -> None:
        """The other replica serves what it has until it looks the next time."""
        day = Day()
        first, second = (OwnSecret(api, NAMES, day) for _ in range(2))
        before = first.look()
        assert second.look() == before
        if spoil is None:
            api.remove(SECRETS, "hook-certificate", "fake-system")
        else:
            stored = api.find(SECRETS, "hook-certificate", "fake-system")
            api.rewrite({**stored, "data": {"tls.crt": base64.b64encode(spoil).decode()}})
        made = first.look()
        assert trusted(api) == made.authority + before.authority
        assert second.look() == made
        day.now += TIMING.overlap
        assert second.look() == made
        assert trusted(api) == made.authority

    def test_a_secret_that_is_lost_again_and_again_leaves_three_authorities(
        self, api: MemoryApi
    ) -> None:
        source = OwnSecret(api, NAMES, Day())
        for _ in range(5):
            pair = source.look()
            api.remove(SECRETS, "hook-certificate", "fake-system")
        assert trusted(api).startswith(pair.authority)
        assert trusted(api).count("BEGIN") == 3

    def test_a_bundle_without_certificates_is_replaced(self, api: MemoryApi) -> None:
        config = api.find(VALIDATING_WEBHOOKS, "hook")
        api.rewrite(configuration.trusting(config, "none"))
        assert OwnSecret(api, NAMES, Day()).look().authority == trusted(api)

    def test_a_deleted_secret_that_may_not_be_made_is_told_with_the_remedy(
        self, api: MemoryApi
    ) -> None:
        forbidden = Forbidden(403, "Forbidden", "may not create secrets", call="create secrets")
        api.fault = lambda verb, *_: forbidden if verb == "create" else None
        with pytest.raises(UnusableCertificate) as caught:
            OwnSecret(api, NAMES, Day()).look()
        assert str(caught.value) == (
            "Secret fake-system/hook-certificate does not exist, and may not be made "
            "(create secrets: 403 Forbidden: may not create secrets); make it, without data: "
            "kubectl create secret generic hook-certificate --namespace fake-system"
        )

    def test_one_that_ran_out_is_replaced_at_once(self, api: MemoryApi) -> None:
        day = Day()
        source = OwnSecret(api, NAMES, day)
        source.look()
        day.now += 91 * DAY
        assert certificates.over(source.look()) == day.now + 90 * DAY

    def test_one_of_a_clock_that_was_ahead_is_replaced(self, api: MemoryApi) -> None:
        """API servers refuse it until its time has come."""
        day = Day(START + 40 * DAY)
        source = OwnSecret(api, NAMES, day)
        before = source.look()
        day.now = START
        pair = source.look()
        assert certificates.over(pair) == START + 90 * DAY
        assert trusted(api) == pair.authority + before.authority
        assert source.look() == pair

    def test_a_rotation_ends_in_time_though_a_clock_was_ahead(self, api: MemoryApi) -> None:
        day = Day()
        source = OwnSecret(api, NAMES, day)
        source.look()
        day.now += 61 * DAY
        source.look()
        day.now += 20 * DAY
        pair = source.look()
        day.now -= 20 * DAY
        for _ in range(2):
            assert source.look() == pair
            day.now += TIMING.overlap
        assert source.look() == pair
        assert trusted(api) == pair.authority

    def test_one_for_another_service_is_replaced(self, api: MemoryApi) -> None:
        first = OwnSecret(api, NAMES, Day()).look()
        renamed = replace(NAMES, service="other")
        second = OwnSecret(api, renamed, Day()).look()
        assert second != first
        assert certificates.proves(second, renamed.hosts)

    def test_a_bundle_that_others_took_away_comes_back(self, api: MemoryApi) -> None:
        source = OwnSecret(api, NAMES, Day())
        pair = source.look()
        config = api.find(VALIDATING_WEBHOOKS, "hook")
        del config["webhooks"][2]["clientConfig"]["caBundle"]
        api.rewrite(config)
        source.look()
        assert trusted(api) == pair.authority

    def test_a_configuration_that_changed_meanwhile_is_read_again(self, api: MemoryApi) -> None:
        source = OwnSecret(api, NAMES, Day())

        def change(verb: str, plural: str, _body: object) -> KubeError | None:
            if (verb, plural) == ("create", "secrets"):
                config = api.find(VALIDATING_WEBHOOKS, "hook")
                api.rewrite({**config, "webhooks": config["webhooks"][:2]})
            return None

        api.fault = change
        with pytest.raises(Conflict):
            source.look()
        pair = source.look()
        assert len(api.find(VALIDATING_WEBHOOKS, "hook")["webhooks"]) == 2
        assert trusted(api) == pair.authority


class TestServing:
    @pytest.fixture
    def metrics(self) -> Metrics:
        return Metrics()

    def files(self, tmp_path: Path, pair: Pair) -> Files:
        (tmp_path / "tls.crt").write_text(pair.certificate, encoding="utf-8")
        (tmp_path / "tls.key").write_text(pair.key, encoding="utf-8")
        return Files(tmp_path / "tls.crt", tmp_path / "tls.key")

    def serving(self, source: OwnSecret | Files, metrics: Metrics, day: Day) -> Serving:
        return Serving(source, 60, day, WebhookMetrics(metrics.registry))

    def test_files_are_read_again(self, tmp_path: Path, metrics: Metrics) -> None:
        first, second = now_pair(), now_pair()
        serving = self.serving(self.files(tmp_path, first), metrics, Day(datetime.now(UTC)))
        assert serving.ready() == "no certificate yet"
        serving.look()
        assert serving.ready() is None
        context = serving.context
        serving.look()
        assert serving.context is context
        assert shakes_hands(context, first.authority)
        self.files(tmp_path, second)
        serving.look()
        assert shakes_hands(serving.context, second.authority)
        until = metrics.registry.get_sample_value(
            "fake_dra_webhook_certificate_expiration_timestamp_seconds"
        )
        assert until == certificates.over(second).timestamp()

    def test_half_of_a_new_pair_changes_nothing(self, tmp_path: Path, metrics: Metrics) -> None:
        first = now_pair()
        serving = self.serving(self.files(tmp_path, first), metrics, Day(datetime.now(UTC)))
        serving.look()
        self.files(tmp_path, replace(first, certificate=now_pair().certificate))
        with pytest.raises(UnusableCertificate, match="do not belong together"):
            serving.look()
        assert serving.ready() is None
        assert shakes_hands(serving.context, first.authority)

    def test_what_is_missing_is_told(self, tmp_path: Path, metrics: Metrics) -> None:
        serving = self.serving(Files(tmp_path / "a", tmp_path / "b"), metrics, Day())
        with pytest.raises(UnusableCertificate, match="a cannot be read"):
            serving.look()

    def test_is_not_ready_once_its_certificate_is_over(
        self, tmp_path: Path, metrics: Metrics
    ) -> None:
        day = Day(datetime.now(UTC))
        serving = self.serving(self.files(tmp_path, now_pair()), metrics, day)
        serving.look()
        day.now += 91 * DAY
        assert "is over since" in str(serving.ready())

    def test_a_configuration_that_is_missing_is_waited_for(
        self, api: MemoryApi, metrics: Metrics
    ) -> None:
        config = api.find(VALIDATING_WEBHOOKS, "hook")
        api.remove(VALIDATING_WEBHOOKS, "hook")
        day = Day(datetime.now(UTC))
        serving = self.serving(OwnSecret(api, NAMES, day), metrics, day)
        with pytest.raises(NotFound):
            serving.look()
        api.put(VALIDATING_WEBHOOKS, config)
        serving.look()
        assert shakes_hands(serving.context, trusted(api))
