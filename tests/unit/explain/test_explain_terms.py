"""How an expression is taken apart."""

import pytest

from explain.terms import terms

D = 'device.attributes["x.y"]'


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        pytest.param("true", ["true"], id="one"),
        pytest.param("a && b&&c", ["a", "b", "c"], id="three"),
        pytest.param("a && (b && c)", ["a", "(b && c)"], id="brackets"),
        pytest.param(f'{D}.a == "&&" && b', [f'{D}.a == "&&"', "b"], id="in-a-literal"),
        pytest.param("a == 'it\\'s && so' && b", ["a == 'it\\'s && so'", "b"], id="escaped"),
        pytest.param('a == r"\\" && b', ['a == r"\\"', "b"], id="raw"),
        pytest.param('"""a "&&" b""" == c && d', ['"""a "&&" b""" == c', "d"], id="long-literal"),
        pytest.param("a && b || c", ["a && b || c"], id="alternatives"),
        pytest.param("a ? b : c && d", ["a ? b : c && d"], id="conditional"),
        pytest.param("(a || b) && c", ["(a || b)", "c"], id="alternatives-in-brackets"),
        pytest.param('a == "open', ['a == "open'], id="unfinished"),
    ],
)
def test_terms_of_an_expression(expression: str, parts: list[str]) -> None:
    assert terms(expression) == tuple(parts)
