import pytest
from marshmallow import Schema, ValidationError, fields, validate

from api.schemas import describe_errors


class _Part(Schema):
    size = fields.Integer(strict=True, validate=validate.Range(1, 3))


class _Whole(Schema):
    part = fields.Nested(_Part())
    parts = fields.List(fields.Nested(_Part()))
    named = fields.Dict(fields.String(), fields.Nested(_Part()))


def described(document: object, root: str = "") -> str:
    with pytest.raises(ValidationError) as caught:
        _Whole().load(document)  # type: ignore[arg-type]
    return describe_errors(caught.value, root)


@pytest.mark.parametrize(
    ("document", "root", "text"),
    [
        pytest.param({"x": 1}, "", "x: Unknown field.", id="unknown"),
        pytest.param({"x": 1}, "spec", "spec.x: Unknown field.", id="below-root"),
        pytest.param(
            {"part": {"size": "1"}}, "spec", "spec.part.size: Not a valid integer.", id="nested"
        ),
        pytest.param({"part": 7}, "spec", "spec.part: Invalid input type.", id="no-object"),
        pytest.param([], "spec", "spec: Invalid input type.", id="document-is-a-list"),
        pytest.param([], "", "object: Invalid input type.", id="list-without-root"),
        pytest.param(
            {"parts": [{}, {"size": None}]}, "", "parts.1.size: Field may not be null.", id="list"
        ),
        pytest.param(
            {"named": {"u": {"size": "x"}}}, "", "named.u.size: Not a valid integer.", id="map"
        ),
    ],
)
def test_an_error_is_one_line_with_its_path(document: object, root: str, text: str) -> None:
    assert described(document, root) == text


def test_several_errors_stand_in_the_order_of_the_schema() -> None:
    found = described({"parts": 1, "part": {"size": 9}})
    assert [part.partition(":")[0] for part in found.split("; ")] == ["part.size", "parts"]


def test_a_single_field_without_a_document_has_the_root_as_path() -> None:
    with pytest.raises(ValidationError) as caught:
        fields.String().deserialize(3)
    assert describe_errors(caught.value, "status") == "status: Not a valid string."
