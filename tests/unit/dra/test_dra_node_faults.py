"""What comes of claims when requests fail, programs are killed, and files are damaged."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.objects import JSON
from dra.claims import ClaimRef
from dra.devicestate.checkpoint import FILE_NAME
from dra.driver import PreparedClaim, Result
from kube.errors import Conflict, ConnectFailed, KubeError, NotFound, ServerError
from tests.support.driverrig import CLAIMS, DriverRig, Gpus, allocated


@pytest.fixture
def rig(short_path: Path) -> Iterator[DriverRig]:
    with DriverRig(short_path) as made:
        yield made


def raising(error: BaseException) -> Callable[[Any], Any]:
    def raises(_given: Any) -> Any:
        raise error

    return raises


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
