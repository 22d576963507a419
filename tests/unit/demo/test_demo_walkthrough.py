"""What `make demo` refuses before it starts anything."""

import pytest
from click.testing import CliRunner

from demo.walks import WALKS
from demo.walkthrough import HERE, main
from tests.support.tables import cases


@cases(
    ("options", "have"),
    {
        "one": (["--node", "a:devices=1"], "1"),
        "structured": (["--kind", "structured", "--node", "a:devices=1"], "1"),
        "two": (["--node", "a:devices=1", "--node", "b:devices=2"], "1, 2"),
        "scattered": (
            ["--node", "a:devices=3", "--node", "b:devices=3", "--node", "c:devices=3"],
            "3, 3, 3",
        ),
    },
)
def test_too_few_devices_are_refused_at_once(options: list[str], have: str) -> None:
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == (
        "Error: the demos need 8 devices, 4 of them on one node; the nodes have "
        f"{have}; give more with --node NAME:devices=N, or more nodes"
    )


@pytest.mark.parametrize("kind", WALKS)
def test_a_walk_has_something_to_show_of_each_wave(kind: str) -> None:
    walk = WALKS[kind]
    assert len(walk.shown) == 1 + len(walk.waves)
    for wave in walk.waves:
        for demo in wave:
            assert (HERE / walk.folder / f"fake-{demo.name}.yaml").is_file()
    assert walk.number in ("five", "seven")
