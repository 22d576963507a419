"""What comes of claims when drivers, claims or API servers are not as they should be."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dra.driver import Edits, Mount, PreparedDevice, PreparingClaim
from dra.errors import ClaimBusy, NodeError
from dra.inventory import Device, Inventory
from tests.support.driverrig import CLAIMS, DriverRig, allocated, given_to


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


@pytest.fixture
def _no_logs_that_xdist_cannot_send(request: pytest.FixtureRequest) -> Iterator[None]:
    """A worker sends what was logged as UTF-8, and breaks where it is none."""
    logging.disable(logging.CRITICAL if "no UTF-8" in request.node.name else logging.NOTSET)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_no_logs_that_xdist_cannot_send")
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
