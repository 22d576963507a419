"""Settings that a driver declares by its constructor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dra.driver import Driver, PreparedClaim, PreparingClaim
from dra.errors import NoDriver
from dra.run import program_of
from ops.lifecycle import Lifecycle
from tests.support.driverrig import CONTRACT, Gpus

ENV = {"NODE_NAME": "node-1"}


MADE: list[tuple[Any, ...]] = []
"""Arguments of the drivers that were made."""


class Told(Gpus):
    """Lend things.

    Args:
        count: how many there are,
            in all.
        share: of each.
        label: on it.
        directory: where they are.
        fast: whether it hurries.
        node_name: of the Node.
    """

    def __init__(
        self,
        count: int,
        share: float = 0.5,
        label: str = "x",
        directory: Path = Path("/etc/x"),
        fast: bool = False,
        limit: int | None = None,
        node_name: str = "",
    ) -> None:
        MADE.append((count, share, label, directory, fast, limit, node_name))
        raise NoDriver("that is all")


@pytest.fixture(autouse=True)
def _own_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lifecycle, "install_signals", lambda _life: None)
    monkeypatch.setattr("dra.run.configure", lambda *_: None)


def invoke(make: Callable[..., Driver], *arguments: str, **env: str) -> Result:
    return CliRunner().invoke(program_of(make), arguments, env={**ENV, **env})


def made_with(*arguments: str, **env: str) -> tuple[Any, ...]:
    result = invoke(Told, *arguments, **env)
    assert result.exit_code == 1
    assert result.stderr.endswith("Error: that is all\n")
    return MADE.pop()


@pytest.mark.parametrize(
    ("arguments", "env", "made"),
    [
        pytest.param(
            ("--count=3",), {}, (3, 0.5, "x", Path("/etc/x"), False, None, "node-1"), id="defaults"
        ),
        pytest.param(
            ("--count=3", "--share=1", "--label=", "--directory=/d", "--fast=yes", "--limit=4"),
            {},
            (3, 1.0, "", Path("/d"), True, 4, "node-1"),
            id="flags",
        ),
        pytest.param(
            (),
            {"COUNT": "3", "SHARE": "1", "LABEL": "y", "DIRECTORY": "/d", "FAST": "true"},
            (3, 1.0, "y", Path("/d"), True, None, "node-1"),
            id="environment",
        ),
        pytest.param(
            ("--count=3", "--fast"),
            {},
            (3, 0.5, "x", Path("/etc/x"), True, None, "node-1"),
            id="switch",
        ),
    ],
)
def test_arguments_come_from_flags_and_variables(
    arguments: tuple[str, ...], env: dict[str, str], made: tuple[Any, ...]
) -> None:
    assert made_with(*arguments, **env) == made


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param((), "--count (env COUNT) is not set; give a whole number", id="required"),
        pytest.param(("--count=x",), "'x' is not a valid integer; give a whole number", id="int"),
        pytest.param(("--count=1.5",), "give a whole number", id="fraction"),
        pytest.param(
            ("--count=1", "--share=x"), "--share (env SHARE): 'x' is not a valid float", id="float"
        ),
        pytest.param(("--count=1", "--fast=5"), "--fast (env FAST)", id="bool"),
        pytest.param(("--count=1", "--other=5"), "No such option", id="unknown"),
    ],
)
def test_wrong_values_are_one_line_and_exit_code_2(arguments: tuple[str, ...], text: str) -> None:
    result = invoke(Told, *arguments)
    assert result.exit_code == 2
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_help_shows_what_the_docstring_says() -> None:
    text = " ".join(invoke(Told, "--help").stdout.split())
    assert "Lend things." in text
    assert "--count INTEGER How many there are, in all. [env var: COUNT; required]" in text
    assert "Where they are. [env var: DIRECTORY; default: /etc/x]" in text
    assert "--node-name NAME" in text
    assert "Args:" not in text


class OfTheProtocol(Driver):
    """A driver that says what it is."""

    contract = CONTRACT
    discover = Gpus.discover

    def prepare(self, claim: PreparingClaim) -> Any:
        return ()

    def unprepare(self, claim: PreparedClaim) -> None:
        return None


class Untyped(Gpus):
    def __init__(self, things=None) -> None:  # type: ignore[no-untyped-def]
        super().__init__()


class OfAList(Gpus):
    def __init__(self, names: list[str]) -> None:
        super().__init__()


class OfNobodysType(Gpus):
    def __init__(self, names: "Missing" = None) -> None:  # type: ignore[name-defined]  # noqa: F821
        super().__init__()


class OfOurs(Gpus):
    def __init__(self, cdi_root: str = "/x") -> None:
        super().__init__()


class OfAFlagOfOurs(Gpus):
    def __init__(self, v: int = 1) -> None:
        super().__init__()


class OfTheShell(Gpus):
    def __init__(self, path: Path = Path("/dev/gpus"), home: str = "here") -> None:
        super().__init__()


def test_a_class_of_the_protocol_has_no_settings_of_its_own() -> None:
    assert invoke(OfTheProtocol, "--help").exit_code == 0
    assert "Driver:" not in invoke(OfTheProtocol, "--help").stdout


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(Untyped, "parameter things .* annotate it as one of bool, int", id="untyped"),
        pytest.param(OfAList, r"parameter names .* list\[str\], which no flag has", id="list"),
        pytest.param(OfNobodysType, "name 'Missing' is not defined", id="name"),
        pytest.param(OfOurs, "parameter cdi_root .*call it something else", id="ours"),
        pytest.param(OfAFlagOfOurs, "parameter v .*call it something else", id="flag of ours"),
        pytest.param(
            OfTheShell, "parameter path .* setting PATH.*call it something else", id="shell"
        ),
    ],
)
def test_declarations_that_no_flag_can_have_are_refused(
    make: Callable[..., Driver], text: str
) -> None:
    with pytest.raises(NoDriver, match=text):
        program_of(make)
