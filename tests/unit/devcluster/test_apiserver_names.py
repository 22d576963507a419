import pytest

from devcluster.apiserver import names


@pytest.mark.parametrize("text", ["a", "a-1", "0", "x" * 63])
def test_good_labels(text: str) -> None:
    assert names.label(text) is None


@pytest.mark.parametrize("text", ["", "A", "-a", "a-", "a.b", "a_b", "x" * 64, "a\n"])
def test_bad_labels(text: str) -> None:
    assert names.label(text)


@pytest.mark.parametrize("text", ["a", "a.b-c.d", "x" * 253])
def test_good_subdomains(text: str) -> None:
    assert names.subdomain(text) is None


@pytest.mark.parametrize("text", ["", "a..b", ".a", "a.", "A.b", "a/b", "x" * 254, "a\n"])
def test_bad_subdomains(text: str) -> None:
    assert names.subdomain(text)


@pytest.mark.parametrize("text", ["a", "A_b.c", "example.com/Name", "x" * 63])
def test_good_qualified_names(text: str) -> None:
    assert names.qualified(text) is None


@pytest.mark.parametrize("text", ["", "a/", "/a", "Ex.com/a", "a/b/c", "-a", "x" * 64])
def test_bad_qualified_names(text: str) -> None:
    assert names.qualified(text)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("", True),
        ("A.b_c-d", True),
        ("-", False),
        ("a b", False),
        ("x" * 63, True),
        ("x" * 64, False),
    ],
)
def test_values_of_labels(text: str, *, good: bool) -> None:
    assert (names.label_value(text) is None) is good
