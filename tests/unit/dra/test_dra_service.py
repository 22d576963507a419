"""The three dialects over a real socket."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from api.contract import FAKE
from api.objects import ClaimUID
from api.resources import DRA_V1ALPHA2, NODES
from dra.claims import ClaimRef
from dra.devicestate import cdi
from dra.kubelet.wire import LONGEST_TEXT
from kube.errors import ConnectFailed
from testing.kubeletcalls import V1ALPHA2, V1ALPHA4, KubeletCalls
from tests.support.pluginrig import NODE, PluginRig, node_object

HOSTILE = [
    pytest.param("../../../etc/passwd", id="path"),
    pytest.param("..", id="dots"),
    pytest.param("", id="empty"),
    pytest.param("a\0b", id="NUL"),
    pytest.param("a" * 65536, id="64 KiB"),
    pytest.param("\u202egnp\N{PILE OF POO}", id="unicode"),
    pytest.param("common", id="common file"),
    pytest.param("uid\n", id="line break"),
    pytest.param("-uid", id="dash"),
]


@pytest.fixture
def calls(rig: PluginRig) -> Iterator[KubeletCalls]:
    with rig.serving() as calls:
        yield calls


def ids(rig: PluginRig, ref: ClaimRef) -> list[str]:
    return [cdi.common_id(FAKE), *(f"{FAKE.cdi_kind}={ref.uid}-{d}" for d in rig.saved()[ref.uid])]


def test_single_claims_of_kubelet_1_27(rig: PluginRig, calls: KubeletCalls) -> None:
    ref = rig.allocate("a", 0, 1)
    assert list(calls.prepare(ref, by=V1ALPHA2)[ref.uid].cdi_devices) == ids(rig, ref)
    rig.assert_agreed()
    calls.unprepare(ref, by=V1ALPHA2)
    assert rig.saved() == {}


def test_error_of_a_single_claim_is_a_status(calls: KubeletCalls) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        calls.prepare(ClaimRef("default", "none", ClaimUID("uid")), by=V1ALPHA2)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "default/none" in error.details()


def test_batch_of_kubelet_1_28_to_1_30(rig: PluginRig, calls: KubeletCalls) -> None:
    refs = [rig.allocate("a", 0), rig.allocate("b", 1, split=2)]
    answers = calls.prepare(*refs)
    assert {uid: list(a.cdi_devices) for uid, a in answers.items()} == {
        ref.uid: ids(rig, ref) for ref in refs
    }
    assert calls.unprepare(*refs) == {ref.uid: "" for ref in refs}
    assert rig.saved() == {}


def test_batch_of_kubelet_1_31(rig: PluginRig, calls: KubeletCalls) -> None:
    rig.api.put(NODES, node_object("v1.31.2"))
    ref = rig.allocate("a", 0, 1, split=2)
    found = calls.prepare(ref, by=V1ALPHA4)[ref.uid].devices
    assert [(d.pool_name, d.device_name) for d in found] == [
        (NODE, rig.device(i).id.lower()) for i in (0, 1)
    ]
    common, *own = ids(rig, ref)
    assert [list(d.cdi_device_ids) for d in found] == [[common, *own[:2]], [common, *own[2:]]]


def test_kubelet_that_is_not_known_gets_a_status_and_nothing_is_prepared(
    rig: PluginRig, calls: KubeletCalls
) -> None:
    rig.api.put(NODES, node_object(""))
    ref = rig.allocate("a", 0)
    with pytest.raises(grpc.RpcError, match="kubeletVersion"):
        calls.prepare(ref)
    assert rig.saved() == {}


def test_claim_that_fails_does_not_fail_the_others(rig: PluginRig, calls: KubeletCalls) -> None:
    good, bad = rig.allocate("a", 0), ClaimRef("default", "none", "uid-none")  # type: ignore[arg-type]
    answers = calls.prepare(bad, good)
    assert "does not exist" in answers[bad.uid].error
    assert list(answers[good.uid].cdi_devices) == ids(rig, good)
    assert not answers[good.uid].error


def test_claim_with_several_handles_is_answered_once(rig: PluginRig, calls: KubeletCalls) -> None:
    ref = rig.allocate("a", 0)
    assert list(calls.prepare(ref, ref)) == [ref.uid]
    assert rig.metrics._totals["prepare"].labels("success")._value.get() == 1


def test_empty_batch_gets_an_empty_answer(calls: KubeletCalls) -> None:
    assert calls.prepare() == {}
    assert calls.unprepare() == {}


def test_full_disk_is_an_error_of_the_claim(
    rig: PluginRig, calls: KubeletCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = rig.allocate("a", 0)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dra.devicestate.directory.write_atomically", full)
        assert "No space left" in calls.prepare(ref)[ref.uid].error
    with monkeypatch.context() as patch:
        patch.setattr("dra.devicestate.checkpoint.write_atomically", full)
        assert "No space left" in calls.prepare(ref)[ref.uid].error
    assert list(calls.prepare(ref)[ref.uid].cdi_devices) == ids(rig, ref)
    rig.assert_agreed()


def test_api_server_that_is_away_is_an_error_of_the_claim(
    rig: PluginRig, calls: KubeletCalls
) -> None:
    ref = rig.allocate("a", 0)
    calls.prepare(ref)
    rig.api.fault = lambda *_: ConnectFailed("API server is away")
    assert "away" in calls.prepare(ref)[ref.uid].error


def test_defect_is_told_without_its_text(
    rig: PluginRig, calls: KubeletCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = rig.allocate("a", 0)
    monkeypatch.setattr(rig.state, "prepare", lambda *_: 1 // 0)
    error = calls.prepare(ref)[ref.uid].error
    assert error == "ZeroDivisionError in the plugin, which is a defect; see its log"
    with pytest.raises(grpc.RpcError, match="defect in the plugin"):
        calls.prepare(ref, by=V1ALPHA2)


@pytest.mark.parametrize("uid", HOSTILE)
def test_hostile_uid_never_leaves_the_directory(
    rig: PluginRig, calls: KubeletCalls, tmp_path: Path, uid: str
) -> None:
    ref = rig.allocate("a", 0)
    hostile = ClaimRef(ref.namespace, ref.name, uid)  # type: ignore[arg-type]
    before = _tree(tmp_path)
    assert 0 < len(calls.prepare(hostile)[uid].error) <= LONGEST_TEXT
    assert 0 < len(calls.unprepare(hostile)[uid]) <= LONGEST_TEXT
    assert _tree(tmp_path) == before


@pytest.mark.parametrize("uid", HOSTILE)
def test_hostile_uid_in_the_api_server_never_leaves_the_directory(
    rig: PluginRig, calls: KubeletCalls, tmp_path: Path, uid: str
) -> None:
    """Even a claim that is allocated under such a uid."""
    ref = rig.allocate("a", 0)
    stored = rig.api.find(DRA_V1ALPHA2.claims, "a", "default")
    stored["metadata"]["uid"] = uid
    rig.api.put(DRA_V1ALPHA2.claims, stored)
    rig.edit_nas({"allocatedClaims": {uid: rig.nas()["spec"]["allocatedClaims"][ref.uid]}})
    before = _tree(tmp_path)
    hostile = ClaimRef("default", "a", uid)  # type: ignore[arg-type]
    assert calls.prepare(hostile)[uid].error
    assert _tree(tmp_path) == before


@pytest.mark.parametrize("name", [p for p in HOSTILE if p.id != "common file"])
@pytest.mark.parametrize("field", ["name", "namespace"])
def test_hostile_name_reads_nothing_else(
    rig: PluginRig, calls: KubeletCalls, field: str, name: str
) -> None:
    ref = rig.allocate("a", 0)
    names = {"namespace": ref.namespace, "name": ref.name, field: name}
    asked = len(rig.api.calls)
    answer = calls.prepare(ClaimRef(uid=ref.uid, **names))[ref.uid]
    assert "cannot be the namespace or name" in answer.error
    assert all(plural == "nodes" for _, plural, _ in rig.api.calls[asked:])
    with pytest.raises(grpc.RpcError, match="cannot be the namespace or name"):
        calls.prepare(ClaimRef(uid=ref.uid, **names), by=V1ALPHA2)


@pytest.mark.parametrize(
    "method", ["v1alpha2.Node/NodePrepareResource", "v1alpha3.Node/NodePrepareResources"]
)
def test_bytes_that_are_no_message_are_refused(calls: KubeletCalls, method: str) -> None:
    with pytest.raises(grpc.RpcError, match="deserializing"):
        calls.send(f"/{method}", b"\xff\xff\xff")


def _tree(root: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in root.parent.rglob("*") if p.is_file()}
