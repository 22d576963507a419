from collections.abc import Callable

import pytest

from api.resources import DRA_V1ALPHA2
from dra.claims import ClaimReader, ClaimRef
from dra.devicestate.checkpoint import FILE_NAME
from kube.errors import ConnectFailed
from tests.support.build import allocated, claim
from tests.support.pluginrig import PluginRig


@pytest.fixture
def ref(rig: PluginRig) -> ClaimRef:
    made = rig.allocate("a", 0)
    rig.driver.prepare(made)
    return made


def collected(rig: PluginRig) -> float | None:
    return rig.registry.get_sample_value("fake_dra_plugin_collected_claims_total")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda rig: rig.api.remove(DRA_V1ALPHA2.claims, "a", "default"), id="deleted"),
        pytest.param(lambda rig: rig.api.put(DRA_V1ALPHA2.claims, claim("a")), id="deallocated"),
        pytest.param(
            lambda rig: rig.api.put(DRA_V1ALPHA2.claims, allocated(claim("a"), "node-2")),
            id="other node",
        ),
        pytest.param(
            lambda rig: rig.api.put(DRA_V1ALPHA2.claims, allocated(claim("a"), driver="other")),
            id="other driver",
        ),
        pytest.param(
            lambda rig: rig.api.put(
                DRA_V1ALPHA2.claims,
                {**claim("a"), "metadata": {**claim("a")["metadata"], "uid": "new"}},
            ),
            id="made anew",
        ),
    ],
)
def test_claim_that_is_out_of_date_is_unprepared(
    rig: PluginRig, ref: ClaimRef, change: Callable[[PluginRig], object]
) -> None:
    change(rig)
    rig.collect()
    assert rig.saved() == rig.injected() == rig.shown() == {}
    assert collected(rig) == 1


def test_claim_in_use_is_kept(rig: PluginRig, ref: ClaimRef) -> None:
    rig.collect()
    assert list(rig.saved()) == [ref.uid]
    assert collected(rig) == 0


@pytest.mark.parametrize("away", [True, False], ids=["no answer", "no version"])
def test_nothing_is_collected_without_a_clear_answer(
    rig: PluginRig, ref: ClaimRef, away: bool
) -> None:
    rig.api.remove(DRA_V1ALPHA2.claims, "a", "default")
    rig.api.served = []
    if away:
        rig.api.fault = lambda *_: ConnectFailed("away")
    rig.collect()
    assert list(rig.saved()) == [ref.uid]


def test_claim_that_was_prepared_again_meanwhile_is_kept(
    rig: PluginRig, ref: ClaimRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.api.remove(DRA_V1ALPHA2.claims, "a", "default")
    read = ClaimReader.read

    def read_and_prepare(reader: ClaimReader, asked: ClaimRef) -> object:
        """The kubelet comes between the look at the claim and the unprepare."""
        (entry,) = rig.state.entries()
        rig.state.prepare(entry.claim)
        return read(reader, asked)

    monkeypatch.setattr(ClaimReader, "read", read_and_prepare)
    rig.collect()
    assert list(rig.saved()) == [ref.uid]


def test_claim_whose_name_is_lost_is_kept(rig: PluginRig, ref: ClaimRef) -> None:
    """After a rebuild from a NAS without the allocation nobody knows which claim to ask for."""
    rig.edit_nas({"allocatedClaims": None})
    (rig.directory / FILE_NAME).write_bytes(b"")
    rig.restart()
    rig.collect()
    assert list(rig.saved()) == [ref.uid]


def test_one_claim_does_not_keep_the_others(rig: PluginRig, ref: ClaimRef) -> None:
    kept = rig.allocate("b", 1)
    rig.driver.prepare(kept)
    rig.api.remove(DRA_V1ALPHA2.claims, "a", "default")
    rig.collect()
    assert list(rig.saved()) == [kept.uid]
    rig.assert_agreed()
