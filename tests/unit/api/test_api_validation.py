from collections.abc import Callable

from api import validation
from tests.support.tables import cases

Check = Callable[[str], str | None]


@cases(
    ("check", "good", "bad"),
    {
        "label": (
            validation.label,
            ["a", "a-1", "0", "x" * 63],
            ["", "A", "-a", "a-", "a.b", "a_b", "x" * 64, "a\n"],
        ),
        "subdomain": (
            validation.subdomain,
            ["a", "a.b-c.d", "x" * 253],
            ["", "a..b", ".a", "a.", "A.b", "a/b", "x" * 254, "a\n"],
        ),
        "qualified": (
            validation.qualified,
            ["a", "A_b.c", "example.com/Name", "x" * 63],
            ["", "a/", "/a", "Ex.com/a", "a/b/c", "-a", "x" * 64],
        ),
        "label value": (validation.label_value, ["", "A.b_c-d", "x" * 63], ["-", "a b", "x" * 64]),
    },
)
def test_names(check: Check, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if check(text) is not None] == []
    assert [text for text in bad if check(text) is None] == []
