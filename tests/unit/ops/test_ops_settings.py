from collections.abc import Mapping

import click
import pytest
from click.testing import CliRunner, Result

from api import __version__
from api.errors import DriverError
from kube.errors import ConfigError as KubeConfigError
from ops.errors import ConfigError
from ops.settings import option, program
from tests.support.tables import cases


@program("tool")
@option(
    "--count",
    ("TOOL_COUNT", "COUNT"),
    section="Work",
    type=click.IntRange(1, 9),
    default=3,
    help="How many.",
    remedy="give a number from 1 to 9",
)
@option("--fail", "TOOL_FAIL", section="Work", default="", help="How to end.", remedy="give none")
@option("--node", "TOOL_NODE", section="Place", required=True, help="Where.", remedy="give a node")
def tool(count: int, fail: str, node: str) -> int | None:
    """Do what a tool does."""
    endings = {
        "config": ConfigError("--count is wrong;\n  set it"),
        "kube": KubeConfigError("no kubeconfig; set one"),
        "driver": DriverError("the node is away;\n wait"),
        "bug": ZeroDivisionError("a bug"),
    }
    if fail in endings:
        raise endings[fail]
    click.echo(f"{count} on {node}")
    return int(fail) if fail else None


def run(*args: str, **env: str | None) -> Result:
    clean: Mapping[str, str | None] = dict.fromkeys(
        ("TOOL_COUNT", "COUNT", "TOOL_FAIL", "TOOL_NODE")
    )
    return CliRunner(env={**clean, **env}).invoke(tool, list(args))


@cases(
    ("args", "env", "output"),
    {
        "default": (["--node", "a"], {}, "3 on a"),
        "flag": (["--node", "a", "--count", "2"], {}, "2 on a"),
        "variables": ([], {"TOOL_NODE": "b", "TOOL_COUNT": "4"}, "4 on b"),
        "second-variable": ([], {"TOOL_NODE": "b", "COUNT": "5"}, "5 on b"),
        "first-counts": ([], {"TOOL_NODE": "b", "TOOL_COUNT": "4", "COUNT": "5"}, "4 on b"),
        "flag-wins": (["--node=a"], {"TOOL_NODE": "b"}, "3 on a"),
        "empty-variable-is-unset": (["--node=a"], {"TOOL_COUNT": ""}, "3 on a"),
        "empty-first-variable": (["--node=a"], {"TOOL_COUNT": "", "COUNT": "6"}, "6 on a"),
    },
)
def test_a_setting_has_a_flag_variables_and_a_default(
    args: list[str], env: dict[str, str], output: str
) -> None:
    found = run(*args, **env)
    assert (found.exit_code, found.stdout.strip()) == (0, output)


@cases(
    ("args", "env", "line"),
    {
        "required-is-missing": ([], {}, "--node (env TOOL_NODE) is not set; give a node"),
        "required-variable-is-empty": (
            [],
            {"TOOL_NODE": ""},
            "--node (env TOOL_NODE) is not set; give a node",
        ),
        "required-flag-is-empty": (
            ["--node", ""],
            {},
            "--node (env TOOL_NODE) is empty; give a node",
        ),
        "out-of-range": (
            ["--node=a", "--count=10"],
            {},
            (
                "--count (env TOOL_COUNT or COUNT): 10 is not in the range 1<=x<=9; "
                "give a number from 1 to 9"
            ),
        ),
        "variable-of-wrong-type": (
            ["--node=a"],
            {"COUNT": "many"},
            (
                "--count (env TOOL_COUNT or COUNT): 'many' is not a valid integer range; "
                "give a number from 1 to 9"
            ),
        ),
        "found-later": (["--node=a", "--fail=config"], {}, "--count is wrong; set it"),
        "of-kube": (["--node=a", "--fail=kube"], {}, "no kubeconfig; set one"),
        "unknown-flag": (["--nod"], {}, "No such option '--nod'"),
        "extra": (["--node=a", "x"], {}, "unexpected extra argument (x); see tool"),
    },
)
def test_wrong_settings_are_one_line_and_exit_code_2(
    args: list[str], env: dict[str, str], line: str
) -> None:
    found = run(*args, **env)
    assert (found.exit_code, found.stdout) == (2, "")
    assert line in found.stderr
    assert found.stderr.startswith("Error: ")
    assert found.stderr.count("\n") == 1


def test_another_error_of_the_driver_is_one_line_and_exit_code_1() -> None:
    found = run("--node=a", "--fail=driver")
    assert (found.exit_code, found.stderr) == (1, "Error: the node is away; wait\n")


def test_a_bug_is_not_hidden() -> None:
    assert isinstance(run("--node=a", "--fail=bug").exception, ZeroDivisionError)


@pytest.mark.parametrize("code", [0, 1, 7])
def test_the_result_is_the_exit_code(code: int) -> None:
    assert run("--node=a", f"--fail={code}").exit_code == code


def test_the_help_has_sections_and_says_what_is_what() -> None:
    text = run("--help").stdout
    words = " ".join(text.split())
    sections = [line for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert sections == ["Work:", "Place:", "Other:"]
    assert "Do what a tool does." in words
    assert "How many. [env var: TOOL_COUNT, COUNT; default: 3; 1<=x<=9]" in words
    assert "Where. [env var: TOOL_NODE; required]" in words
    assert "--version Show the version and exit." in words


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout.startswith(f"tool {__version__} (Python ")
    assert run("-h").exit_code == 0
