"""A node whose cluster is upgraded from 1.31 or before, and back: what is left there is taken up.

The claims' objects are what an API server of 1.32 or later has of them: it does not know any more
which devices a driver's controller allocated.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.objects import JSON, ClaimUID
from dra.claims import ClaimRef
from dra.devicestate import cdi
from dra.wiring import COLLECT
from plugin.structured.past import FormerFiles
from testing.kubelet import container_edits
from tests.support.driverrig import DriverRig
from tests.support.fakerig import CLAIMS, FAKE, fake_driver, result, scheduled, store, uuid
from tests.support.pluginrig import FAKES, PluginRig, places_of


class Upgraded:
    """A node with the files of both kinds in the same places; one of them runs at a time."""

    def __init__(self, root: Path) -> None:
        self.classic = PluginRig(root)
        self.structured = DriverRig(root, fake_driver())
        self.structured.files = FormerFiles(FAKES)
        classic = self.classic
        self.structured.places = places_of(classic.directory, classic.cdi_root, classic.socket)

    def upgrade(self, *claims: JSON) -> None:
        """End the classic plugin, and start the structured one."""
        for claim in claims:
            store(self.structured.api, claim)
        self.structured.start()

    def collect(self) -> None:
        """Do what is done each minute."""
        self.structured.plugin.plugin.tasks[COLLECT].run()

    def prepared(self) -> dict[str, list[str]]:
        return self.classic.saved()

    def container(self, ref: ClaimRef, *devices: str) -> dict[str, str]:
        """Return what a container with a classic claim gets when it is started again."""
        names = ["common", *(f"{ref.uid}-{device}" for device in devices)]
        ids = [f"{FAKE.cdi_kind}={name}" for name in names]
        return dict(container_edits([self.classic.cdi_root], ids).env)


@pytest.fixture
def node(short_path: Path) -> Iterator[Upgraded]:
    made = Upgraded(short_path)
    yield made
    made.structured.stop()


def forgotten(ref: ClaimRef, *pods: str) -> JSON:
    """Return a classic claim as the API server has it after the upgrade."""
    claim = scheduled(ref.name, result("fake-0"))
    claim["metadata"]["uid"] = ref.uid
    claim["status"]["allocation"]["devices"] = {}
    reserved = [{"resource": "pods", "name": pod, "uid": f"uid-{pod}"} for pod in pods]
    claim["status"]["reservedFor"] = reserved
    return claim


def remembered(ref: ClaimRef, *pods: str) -> JSON:
    """Return a classic claim of 1.31 that says itself what it has, as 1.32 reads it."""
    claim = forgotten(ref, *pods)
    device = uuid("fake-0")
    own = {"driver": FAKE.driver_name, "parameters": {"fake": {"devices": [{"uuid": device}]}}}
    claim["status"]["allocation"]["devices"] = {
        "results": [result(device.lower())],
        "config": [{"source": "FromClaim", "opaque": own}],
    }
    return claim


def test_a_claim_that_says_itself_what_it_has_stays_prepared_until_it_is_gone(
    node: Upgraded,
) -> None:
    ref = node.classic.allocate("a", 0)
    node.classic.driver.prepare(ref)
    given = node.classic.saved()[ref.uid]
    node.upgrade(remembered(ref, "pod"))
    node.collect()
    assert node.prepared() == {ref.uid: given}
    node.structured.api.remove(CLAIMS, "a", "default")
    node.collect()
    assert node.prepared() == {}


def test_a_claim_that_a_pod_uses_stays_until_the_pod_has_ended(node: Upgraded) -> None:
    ref = node.classic.allocate("a", 0, 1)
    node.classic.driver.prepare(ref)
    given = node.classic.saved()[ref.uid]
    before = node.container(ref, *given)
    node.upgrade(forgotten(ref, "pod"))
    node.collect()
    assert node.prepared() == {ref.uid: given}
    assert node.container(ref, *given) == before
    store(node.structured.api, forgotten(ref))
    node.collect()
    assert node.prepared() == {}
    assert cdi.claim_file(FAKE, ref.uid) not in node.structured.cdi_files()


def test_the_kubelet_unprepares_what_the_classic_kind_has_prepared(node: Upgraded) -> None:
    ref = node.classic.allocate("a", 0, split=2)
    node.classic.driver.prepare(ref)
    node.upgrade(forgotten(ref, "pod"))
    assert node.structured.unprepare(ref) == {"a": ""}
    assert node.prepared() == {}


@pytest.mark.parametrize("anew", [False, True], ids=["deleted", "made anew"])
def test_a_claim_that_is_gone_is_unprepared_and_its_file_removed(
    node: Upgraded, anew: bool
) -> None:
    ref = node.classic.allocate("a", 0)
    node.classic.driver.prepare(ref)
    other = forgotten(ClaimRef("default", "a", ClaimUID("uid-new")), "pod")
    node.upgrade(*([other] if anew else []))
    node.collect()
    assert node.prepared() == {}
    assert cdi.claim_file(FAKE, ref.uid) not in node.structured.cdi_files()


def test_the_end_of_the_plugin_leaves_no_file_of_the_classic_kind(node: Upgraded) -> None:
    ref = node.classic.allocate("a", 0)
    node.classic.driver.prepare(ref)
    node.upgrade()
    node.collect()
    assert node.structured.cdi_files() == [cdi.common_file(FAKE)]
    node.structured.stop()
    assert node.structured.cdi_files() == []


def test_new_claims_are_prepared_beside_classic_ones(node: Upgraded) -> None:
    ref = node.classic.allocate("a", 0)
    node.classic.driver.prepare(ref)
    node.upgrade(forgotten(ref, "pod"), scheduled("b", result("fake-3")))
    new = ClaimRef("default", "b", ClaimUID("uid-b"))
    assert node.structured.prepare(new)["b"].error == ""
    assert sorted(node.prepared()) == sorted([ref.uid, "uid-b"])


def test_what_the_structured_kind_has_left_goes_after_a_downgrade(node: Upgraded) -> None:
    node.upgrade(scheduled("b", result("fake-3-split2-0")))
    ref = ClaimRef("default", "b", ClaimUID("uid-b"))
    assert node.structured.prepare(ref)["b"].error == ""
    node.structured.stop()
    node.classic.restart()
    assert list(node.prepared()) == ["uid-b"]
    assert node.classic.saved() == node.classic.shown() == {"uid-b": ["fake-3-split2-0"]}
    node.classic.collect()
    assert node.classic.saved() == node.classic.shown() == node.classic.injected() == {}


def test_an_upgrade_and_back_serves_new_classic_claims(node: Upgraded) -> None:
    node.upgrade()
    node.structured.stop()
    node.classic.directory.mkdir(exist_ok=True)
    node.classic.restart()
    ref = node.classic.allocate("a", 0)
    node.classic.driver.prepare(ref)
    assert node.prepared() == {ref.uid: [uuid("fake-0")]}
