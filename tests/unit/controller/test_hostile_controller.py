"""A few hundred of the hostile inputs of `make reliability`, and that they can be told."""

import pytest

import api.parameters
from tests.support.effort import tries
from tests.support.hostile import attack
from tests.support.hostilecontroller import Parameters, States

SEED = 1


@pytest.mark.parametrize("target", [Parameters, States])
def test_controller_survives(target: type[Parameters] | type[States]) -> None:
    assert list(attack(target(), tries(200), SEED)) == []


def test_defect_in_the_reader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catch of the worker must not hide it."""
    monkeypatch.setattr(
        api.parameters, "list_errors", lambda error, prefix="": error.messages["none"]
    )
    assert any("logged KeyError" in each for each in attack(Parameters(), 50, SEED))
