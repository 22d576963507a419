"""What comes of claims when drivers, claims or API servers are not as they should be."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.objects import JSON
from dra.claims import ClaimRef
from dra.devicestate.checkpoint import FILE_NAME
from dra.driver import Edits, Mount, PreparedClaim, PreparedDevice, PreparingClaim, Result
from dra.errors import ClaimBusy, NodeError
from dra.inventory import Device, Inventory
from kube.errors import Conflict, ConnectFailed, KubeError, NotFound, ServerError
from tests.support.driverrig import CLAIMS, DriverRig, Gpus, allocated, given_to


@pytest.fixture
def rig(short_path: Path) -> Iterator[DriverRig]:
    with DriverRig(short_path) as made:
        yield made


def raising(error: BaseException) -> Callable[[Any], Any]:
    def raises(_given: Any) -> Any:
        raise error

    return raises


class Unsayable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def edited(claim: PreparingClaim, *edits: Edits) -> list[PreparedDevice]:
    return [PreparedDevice.of(r, e) for r, e in zip(claim.results, edits, strict=True)]


def another_device(claim: PreparingClaim) -> list[PreparedDevice]:
    (device,) = given_to(claim)
    return [replace(device, device="gpu-9")]


RAISED = [
    pytest.param(ValueError("no such slot"), "ValueError: no such slot", id="own"),
    pytest.param(NodeError("slot is locked"), "slot is locked", id="driver error"),
    pytest.param(SystemExit(3), "SystemExit: 3", id="exit"),
    pytest.param(KeyboardInterrupt(), "KeyboardInterrupt", id="interrupt"),
    pytest.param(KeyError("gpu-0"), "KeyError: 'gpu-0'", id="key error"),
    pytest.param(Unsayable(), "Unsayable: <exception str() failed>", id="without text"),
    pytest.param(ValueError("/dev/\udcff"), r"/dev/\udcff", id="text that is no UTF-8"),
    pytest.param(NodeError("/dev/\udcff"), r"/dev/\udcff", id="driver error that is no UTF-8"),
    pytest.param(ValueError("a\nb"), "a\nb", id="two lines"),
]


class TestDriverThatRaises:
    @pytest.mark.parametrize(("error", "text"), RAISED)
    def test_costs_that_claim_and_no_other(
        self, rig: DriverRig, error: BaseException, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        good, bad = rig.claim("good", "gpu-1"), rig.claim("bad")
        rig.gpus.does["prepare"] = lambda c: raising(error)(c) if c.name == "bad" else given_to(c)
        answers = rig.prepare(good, bad)
        assert text in answers["bad"].error
        assert [device.device_name for device in answers["good"].devices] == ["gpu-1"]
        assert [kind for kind, _, _ in rig.events.told].count("Warning") == 1
        del rig.gpus.does["prepare"]
        assert rig.prepare(bad)["bad"].error == ""

    @pytest.mark.parametrize(("error", "text"), RAISED)
    def test_keeps_a_claim_prepared_that_it_does_not_let_go(
        self, rig: DriverRig, error: BaseException, text: str
    ) -> None:
        good, bad = rig.claim("good", "gpu-1"), rig.claim("bad")
        rig.prepare(good, bad)
        rig.gpus.does["unprepare"] = lambda c: raising(error)(c) if c.name == "bad" else None
        errors = rig.unprepare(good, bad)
        assert text in errors["bad"]
        assert errors["good"] == ""
        assert [claim.name for claim in rig.saved().values()] == ["bad"]
        del rig.gpus.does["unprepare"]
        assert rig.unprepare(bad) == {"bad": ""}
        assert rig.saved() == rig.gpus.held == {}
        assert rig.cdi_files() == []

    def test_is_in_the_log_with_its_traceback_and_the_claim(
        self, rig: DriverRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig.gpus.does["prepare"] = raising(ValueError("no such slot"))
        rig.prepare(rig.claim("bad"))
        (record,) = [each for each in caplog.records if each.exc_info]
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], ValueError)
        keys: Any = record
        assert "default/bad" in str(keys.keys["of"])


WRONG = [
    pytest.param(lambda _claim: None, "returned NoneType", id="nothing"),
    pytest.param(lambda _claim: 5, "returned int", id="number"),
    pytest.param(lambda _claim: ["gpu-0"], "returned str", id="names"),
    pytest.param(lambda _claim: "gpu-0", "returned str", id="name"),
    pytest.param(lambda _claim: {"gpu-0": Edits()}, "returned str", id="mapping"),
    pytest.param(lambda claim: given_to(claim)[0], "returned PreparedDevice", id="one device"),
    pytest.param(lambda _claim: [], "left out node-1/gpu-0", id="left out"),
    pytest.param(
        another_device, "returned node-1/gpu-9 and left out node-1/gpu-0", id="not allocated"
    ),
    pytest.param(
        lambda claim: [*given_to(claim), *given_to(claim)], "two devices named", id="twice"
    ),
    pytest.param(
        lambda claim: [replace(given_to(claim)[0], requests=("q",))],
        "request q",
        id="request of another claim",
    ),
    pytest.param(lambda claim: [replace(given_to(claim)[0], share_id="x")], "gpu-0/x", id="share"),
    pytest.param(
        lambda claim: [replace(given_to(claim)[0], edits=None)], "edits", id="without edits"
    ),
    pytest.param(lambda claim: edited(claim, Edits({"A": 5})), "edits.env.A", id="number in env"),  # type: ignore[dict-item]
    pytest.param(lambda claim: edited(claim, Edits({"A=B": "x"})), "'A=B'", id="name of variable"),
    pytest.param(
        lambda claim: edited(claim, Edits(mounts=(Mount("a", "/b"),))),
        "must be an absolute path",
        id="relative path",
    ),
    pytest.param(
        lambda claim: edited(claim, Edits(mounts=["/b"])), "mounts[0]", id="texts for mounts"
    ),
]


class TestDriverThatReturnsSomethingElse:
    @pytest.mark.parametrize(("prepare", "text"), WRONG)
    def test_costs_that_claim_and_says_what(
        self, rig: DriverRig, prepare: Callable[[PreparingClaim], Any], text: str
    ) -> None:
        good, bad = rig.claim("good", "gpu-1"), rig.claim("bad")
        rig.gpus.does["prepare"] = lambda c: prepare(c) if c.name == "bad" else given_to(c)
        answers = rig.prepare(good, bad)
        assert text in answers["bad"].error
        assert "defect" not in answers["bad"].error
        assert "default/bad" in answers["bad"].error
        assert answers["good"].error == ""
        # what it may have done is undone
        assert rig.unprepare(bad) == {"bad": ""}
        assert list(rig.gpus.held) == ["uid-good"]
        assert [claim.name for claim in rig.saved().values()] == ["good"]

    @pytest.mark.parametrize(
        "edits",
        [
            pytest.param((Edits({"A": "1"}), Edits({"A": "2"})), id="variable"),
            pytest.param(
                (Edits(mounts=(Mount("/a", "/x"),)), Edits(mounts=(Mount("/b", "/x"),))), id="mount"
            ),
        ],
    )
    def test_edits_that_collide(self, rig: DriverRig, edits: tuple[Edits, Edits]) -> None:
        bad = rig.claim("bad", "gpu-0", "gpu-1")
        rig.gpus.does["prepare"] = lambda claim: edited(claim, *edits)
        assert "two edits collide" in rig.prepare(bad)["bad"].error
        assert rig.cdi_files() == []


class TestDriverThatHangs:
    @pytest.fixture
    def gate(self) -> Iterator[threading.Event]:
        made = threading.Event()
        yield made
        made.set()

    def test_costs_that_claim_and_no_other(self, rig: DriverRig, gate: threading.Event) -> None:
        good, bad = rig.claim("good", "gpu-1"), rig.claim("bad")

        def prepare(claim: PreparingClaim) -> list[PreparedDevice]:
            if claim.name == "bad":
                gate.wait()
            return given_to(claim)

        rig.gpus.does["prepare"] = prepare
        answers = rig.prepare(good, bad, seconds=2.0)
        assert "still being served" in answers["bad"].error
        assert answers["good"].error == ""
        assert "still being served" in rig.unprepare(bad, seconds=2.0)["bad"]
        gate.set()
        assert rig.prepare(bad)["bad"].error == ""

    def test_is_not_waited_for_by_the_collection_of_others(
        self, rig: DriverRig, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dra.wiring.DISCARD_SECONDS", 0.05)
        hung, gone = rig.claim("hung"), rig.claim("gone", "gpu-1")
        rig.prepare(gone)
        rig.gpus.does["prepare"] = lambda _claim: gate.wait()
        rig.prepare(hung, seconds=2.0)
        for ref in (hung, gone):
            rig.api.remove(CLAIMS, ref.name, ref.namespace)
        with pytest.raises(ClaimBusy, match="hung"):
            rig.plugin.plugin.tasks["collect"].run()
        assert [claim.name for claim in rig.saved().values()] == ["hung"]


CLAIMS_OF_OTHERS: list[Any] = [
    pytest.param(lambda body: body["status"].pop("allocation"), "is not allocated", id="free"),
    pytest.param(
        lambda body: body["metadata"].update(uid="uid-new"), "has uid uid-new", id="replaced"
    ),
    pytest.param(
        lambda body: body["status"]["allocation"]["devices"]["results"][0].update(driver="nic.x"),
        "is allocated by driver nic.x",
        id="of another driver",
    ),
    pytest.param(
        lambda body: body["status"].update(
            allocation=allocated("x", "gpu-0", node="node-2")["status"]["allocation"]
        ),
        "is allocated for other nodes",
        id="of another node",
    ),
    pytest.param(
        lambda body: body["status"]["allocation"]["devices"]["results"][0].update(device="gpu-9"),
        "node-1/gpu-9",
        id="unknown device",
    ),
    pytest.param(
        lambda body: body["status"]["allocation"]["devices"]["results"][0].update(pool="shelf"),
        "shelf/gpu-0",
        id="unknown pool",
    ),
]


class TestClaims:
    @pytest.mark.parametrize(("change", "text"), CLAIMS_OF_OTHERS)
    def test_that_are_not_to_be_prepared_here(
        self, rig: DriverRig, change: Callable[[Any], Any], text: str
    ) -> None:
        good, bad = rig.claim("good", "gpu-1"), rig.claim("bad")
        body = rig.api.find(CLAIMS, "bad", "default")
        change(body)
        rig.api.put(CLAIMS, body)
        answers = rig.prepare(good, bad)
        assert text in answers["bad"].error
        assert answers["good"].error == ""
        assert rig.gpus.calls == [("prepare", "good")]
        assert rig.unprepare(bad) == {"bad": ""}

    def test_that_are_gone(self, rig: DriverRig) -> None:
        ref = rig.claim("bad")
        rig.api.remove(CLAIMS, "bad", "default")
        assert "does not exist" in rig.prepare(ref)["bad"].error

    def test_that_were_never_prepared_are_undone_all_the_same(self, rig: DriverRig) -> None:
        assert rig.unprepare(rig.claim("never")) == {"never": ""}
        assert rig.gpus.calls == [("unprepare", "never")]

    def test_the_answer_of_a_repeated_call_is_the_same(self, rig: DriverRig) -> None:
        ref = rig.claim("a", "gpu-0", "gpu-1", pods=["first"])
        once = rig.prepare(ref)
        rig.api.put(CLAIMS, allocated("a", "gpu-0", "gpu-1", pods=["second", "first"]))
        assert rig.prepare(ref) == once
        assert rig.gpus.held == {"uid-a": ["first"]}

    def test_a_device_that_has_left_stays_prepared(self, rig: DriverRig) -> None:
        ref = rig.claim("a")
        once = rig.prepare(ref)
        rig.gpus.does["discover"] = lambda _none: Inventory.of(Device("gpu-1"))
        rig.plugin.publish()
        assert rig.prepare(ref) == once

    def test_parameters_that_changed_are_no_new_allocation(self, rig: DriverRig) -> None:
        ref = rig.claim("a")
        rig.prepare(ref)
        opaque = {"driver": "gpu.example.com", "parameters": {"a": 1}}
        config = [{"source": "FromClaim", "opaque": opaque}]
        rig.api.put(CLAIMS, allocated("a", "gpu-0", config=config))
        rig.prepare(ref)
        assert rig.gpus.calls == [("prepare", "a"), ("prepare", "a")]
        assert rig.saved()[ref.uid].results[0].config[0].parameters == {"a": 1}

    def test_another_allocation_is_unprepared_first(self, rig: DriverRig) -> None:
        ref = rig.claim("a", pods=["first"])
        rig.prepare(ref)
        rig.api.put(CLAIMS, allocated("a", "gpu-1", pods=["second"]))
        answer = rig.prepare(ref)["a"]
        assert [device.device_name for device in answer.devices] == ["gpu-1"]
        assert [verb for verb, _ in rig.gpus.calls] == ["prepare", "unprepare", "prepare"]
        assert rig.gpus.held == {"uid-a": ["second"]}


PASSING: list[Any] = [
    pytest.param(ConnectFailed("away"), id="away"),
    pytest.param(ServerError("etcd"), id="error"),
    pytest.param(Conflict("changed"), id="conflict"),
    pytest.param(NotFound("not seen"), id="not seen yet"),
]


class TestFaultsThatPass:
    @pytest.mark.parametrize("error", PASSING)
    def test_are_waited_for_inside_the_call(self, rig: DriverRig, error: KubeError) -> None:
        ref = rig.claim("a")

        def fails(verb: str, plural: str, _body: Any) -> KubeError | None:
            return error if (verb, plural) == ("get", "resourceclaims") else None

        def passes() -> None:
            rig.api.fault = lambda *_: None

        rig.api.fault, rig.waited = fails, passes
        assert rig.prepare(ref)["a"].error == ""
        assert [kind for kind, _, _ in rig.events.told] == ["Normal"]

    @pytest.mark.parametrize("seconds", [45.0, 10.0])
    def test_that_last_are_told_before_the_call_is_over(
        self, rig: DriverRig, seconds: float
    ) -> None:
        ref = rig.claim("a")
        rig.api.fault = lambda *_: ConnectFailed("away")
        assert rig.prepare(ref, seconds=seconds)["a"].error == "away"
        assert seconds / 2 < rig.slept < seconds - 1

    def test_unprepare_needs_no_api_server(self, rig: DriverRig) -> None:
        ref = rig.claim("a")
        rig.prepare(ref)
        rig.api.fault = lambda *_: ConnectFailed("away")
        assert rig.unprepare(ref) == {"a": ""}


class TestKills:
    """Between the write-ahead and what the driver returns."""

    @pytest.fixture
    def begun(self, rig: DriverRig) -> ClaimRef:
        """A claim for which the driver has begun when its process died."""
        ref = rig.claim("a", "gpu-0", pods=["first"])
        rig.gpus.does["prepare"] = raising(KeyboardInterrupt())
        rig.prepare(ref)
        rig.stop()
        rig.gpus.does.clear()
        assert rig.saved()[ref.uid].devices == ()
        rig.api.put(CLAIMS, allocated("a", "gpu-0", pods=["second"]))
        rig.start()
        return ref

    def test_the_next_prepare_goes_on(self, rig: DriverRig, begun: ClaimRef) -> None:
        assert [device.device_name for device in rig.prepare(begun)["a"].devices] == ["gpu-0"]
        assert rig.gpus.held == {"uid-a": ["first"]}

    def test_the_next_unprepare_undoes(self, rig: DriverRig, begun: ClaimRef) -> None:
        undone: list[PreparedClaim] = []
        rig.gpus.does["unprepare"] = undone.append
        assert rig.unprepare(begun) == {"a": ""}
        (claim,) = undone
        assert [result.device for result in claim.results] == ["gpu-0"]
        assert [consumer.name for consumer in claim.consumers] == ["first"]
        assert rig.saved() == rig.gpus.held == {}

    def test_a_claim_that_is_gone_is_collected(self, rig: DriverRig, begun: ClaimRef) -> None:
        rig.api.remove(CLAIMS, begun.name, begun.namespace)
        rig.plugin.plugin.tasks["collect"].run()
        assert rig.saved() == rig.gpus.held == {}


class TestDamagedCheckpoint:
    @pytest.fixture
    def damaged(self, rig: DriverRig) -> ClaimRef:
        """A prepared claim of which the checkpoint does not tell any more."""
        ref = rig.claim("a", "gpu-0", pods=["first"])
        rig.prepare(ref)
        rig.stop()
        (rig.places.directory.path / FILE_NAME).write_bytes(b"{")
        rig.start()
        return ref

    def test_the_next_prepare_is_complete(self, rig: DriverRig, damaged: ClaimRef) -> None:
        assert [device.device_name for device in rig.prepare(damaged)["a"].devices] == ["gpu-0"]
        assert [claim.name for claim in rig.saved().values()] == ["a"]

    def test_the_driver_is_told_what_the_claim_has(self, rig: DriverRig, damaged: ClaimRef) -> None:
        undone: list[PreparedClaim] = []
        rig.gpus.does["unprepare"] = undone.append
        assert rig.unprepare(damaged) == {"a": ""}
        (claim,) = undone
        assert [result.device for result in claim.results] == ["gpu-0"]
        assert [consumer.name for consumer in claim.consumers] == ["first"]
        assert rig.cdi_files() == []

    def test_a_claim_that_is_gone_as_well_has_its_devices(
        self, rig: DriverRig, damaged: ClaimRef
    ) -> None:
        rig.api.remove(CLAIMS, damaged.name, damaged.namespace)
        undone: list[PreparedClaim] = []
        rig.gpus.does["unprepare"] = undone.append
        assert rig.unprepare(damaged) == {"a": ""}
        (claim,) = undone
        assert [device.device for device in claim.devices] == ["gpu-0"]


class Strict(Gpus):
    """A driver that has parameters, and attributes for containers that it cannot tell."""

    def validate(self, parameters: JSON) -> list[str]:
        if parameters.get("mode") == "raise":
            raise ValueError("no such mode")
        return [] if parameters == {"mode": "slow"} else ["mode: must be slow"]

    def metadata(self, _result: Result) -> dict[str, JSON]:
        raise SystemExit("no attributes")


class TestStrictDriver:
    @pytest.fixture
    def rig(self, short_path: Path) -> Iterator[DriverRig]:
        with DriverRig(short_path, Strict()) as made:
            yield made

    @pytest.mark.parametrize(
        ("parameters", "text"),
        [
            pytest.param({"mode": "slow"}, "", id="right"),
            pytest.param({}, "devices.config[0].opaque.parameters: mode: must be slow", id="wrong"),
            pytest.param({"mode": "raise"}, "ValueError: no such mode", id="raises"),
        ],
    )
    def test_says_what_is_wrong_with_parameters_and_does_nothing(
        self, rig: DriverRig, parameters: JSON, text: str
    ) -> None:
        opaque = {"driver": "gpu.example.com", "parameters": parameters}
        config = [{"source": "FromClaim", "opaque": opaque}]
        ref = rig.claim("a", "gpu-0", "gpu-1", config=config)
        error = rig.prepare(ref)["a"].error
        assert (text in error, error.count("must be slow") <= 1) == (True, True)
        assert bool(error) == bool(text)
        assert bool(rig.gpus.calls) == bool(rig.saved()) == (not text)

    def test_serves_the_claim_without_metadata(self, rig: DriverRig) -> None:
        assert rig.prepare(rig.claim("a"))["a"].error == ""
