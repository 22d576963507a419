"""Settings of the election, and what a controller does when it leads, stands by and loses."""

from collections.abc import Mapping
from typing import Any

import pytest

from controller.__main__ import main
from controller.election import LEASE_NAME, Leadership, election_timing, new_identity
from kube.errors import ConnectFailed
from kube.leases import Timing
from ops.errors import ConfigError
from ops.metrics import Metrics

ENV = ("LEADER_ELECTION", "LEASE_DURATION", "RENEW_DEADLINE", "RETRY_PERIOD")


def given(*args: str) -> Mapping[str, Any]:
    return main.make_context("program", list(args)).params


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENV:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("args", "timing"),
    [
        ((), Timing(15, 10.0, 5.0)),
        (("--leader-election=false",), None),
        (("--leader-election=false", "--lease-duration=1"), None),
        (("--lease-duration=6", "--renew-deadline=4.5", "--retry-period=1"), Timing(6, 4.5, 1.0)),
    ],
    ids=["on by default", "off", "off, times do not matter", "other times"],
)
def test_flags_give_the_times(args: tuple[str, ...], timing: Timing | None) -> None:
    assert election_timing(given(*args)) == timing


def test_environment_variables_give_the_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(ENV, ("true", "30", "20", "4"), strict=True):
        monkeypatch.setenv(name, value)
    assert election_timing(given()) == Timing(30, 20.0, 4.0)


def test_times_that_do_not_fit_name_flags_and_variables() -> None:
    with pytest.raises(ConfigError, match=r"--renew-deadline.*RENEW_DEADLINE.*lease duration"):
        election_timing(given("--lease-duration=10"))


def test_identities_are_never_the_same() -> None:
    assert new_identity() != new_identity()


class Program:
    """Notes what leadership makes of it."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.did: list[object] = []
        self.leadership = Leadership(
            self.metrics, lambda: self.did.append("work"), identity="me", leave=self.did.append
        )

    @property
    def status(self) -> float | None:
        labels = {"name": LEASE_NAME}
        return self.metrics.registry.get_sample_value("leader_election_master_status", labels)


def test_a_standby_does_not_work() -> None:
    program = Program()
    program.leadership.standby("other")
    program.leadership.failed(ConnectFailed("refused"))
    assert (program.did, program.status) == ([], 0.0)


def test_a_leader_works_and_one_that_lost_leaves_with_code_1() -> None:
    program = Program()
    program.leadership.started()
    assert (program.did, program.status) == (["work"], 1.0)
    program.leadership.lost()
    assert (program.did, program.status) == (["work", 1], 0.0)
