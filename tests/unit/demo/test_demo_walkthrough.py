"""What `make demo` refuses before it starts anything."""

from click.testing import CliRunner

from demo.walkthrough import main
from tests.support.tables import cases


@cases(
    ("options", "have"),
    {
        "one": (["--node", "a:devices=1"], "1"),
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
