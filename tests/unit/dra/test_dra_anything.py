"""Anything may happen to a driver in any order; `make reliability` tries much more."""

from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.effort import tries
from tests.support.structuredmachine import structured_machine_in


def test_random_lives_of_a_driver_end_well(tmp_path: Path) -> None:
    run_state_machine_as_test(
        structured_machine_in(tmp_path),
        settings=settings(
            max_examples=tries(15),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
