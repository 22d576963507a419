"""Label and field selectors of lists and watches: parsed once, asked for every object.

Pure. Source: Kubernetes API reference, "Labels and selectors"; apimachinery pkg/labels,
pkg/fields. Called by `devcluster.apiserver.views.options`; the result is a Selector, which
`devcluster.apiserver.listing` and `devcluster.apiserver.watch` use.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest
from devcluster.apiserver.kinds import Kind

Selector: TypeAlias = Callable[[JSON], bool]

_SET_BASED: Final = re.compile(
    r"\s*(?P<key>[^\s!=,()<>]+)\s+(?P<op>in|notin)\s*\((?P<set>[^()]*)\)\s*"
)
_EQUALITY: Final = re.compile(
    r"\s*(?P<key>[^\s!=,()<>]+)\s*(?P<op>==|=|!=|>|<)\s*(?P<value>[^\s!=,()<>]*)\s*"
)
_EXISTS: Final = re.compile(r"\s*(?P<not>!?)\s*(?P<key>[^\s!=,()<>]+)\s*")
_FIELD: Final = re.compile(r"(?P<key>[^=!]+?)(?P<op>==|=|!=)(?P<value>.*)", re.DOTALL)

_METADATA: Final = {"metadata.name": "metadata.name", "metadata.namespace": "metadata.namespace"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term on a label.

    Attributes:
        op: `in`, `notin`, `exists`, `absent`, `>` or `<`.
    """

    key: str
    op: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet the term."""
        value = labels.get(self.key)
        if self.op == "exists":
            return value is not None
        if self.op == "absent":
            return value is None
        if self.op == "notin":
            return value is None or value not in self.values
        if value is None:
            return False
        return value in self.values if self.op == "in" else self._compare(value)

    def _compare(self, value: str) -> bool:
        (bound,) = self.values
        if not re.fullmatch(r"-?\d{1,19}", value):
            return False
        return int(value) > int(bound) if self.op == ">" else int(value) < int(bound)


def label_requirements(text: str) -> tuple[Requirement, ...]:
    """Parse a label selector; the empty one has no terms.

    Raises:
        BadRequest: it is malformed.
    """
    if not text.strip():
        return ()
    found, at = [], -1
    while at < len(text):
        requirement, at = _term(text, at + 1)
        found.append(requirement)
        if at < len(text) and text[at] != ",":
            raise _malformed(text)
    return tuple(found)


def _term(text: str, at: int) -> tuple[Requirement, int]:
    if match := _SET_BASED.match(text, at):
        values = frozenset(value.strip() for value in match["set"].split(","))
        return Requirement(match["key"], match["op"], values), match.end()
    if match := _EQUALITY.match(text, at):
        return _equality(text, match), match.end()
    if match := _EXISTS.match(text, at):
        return Requirement(match["key"], "absent" if match["not"] else "exists"), match.end()
    raise _malformed(text)


def _equality(text: str, match: re.Match[str]) -> Requirement:
    op, value = match["op"], match["value"]
    if op in (">", "<") and not re.fullmatch(r"-?\d{1,19}", value):
        raise _malformed(text)
    named = {"=": "in", "==": "in", "!=": "notin"}
    return Requirement(match["key"], named.get(op, op), frozenset({value}))


def _malformed(text: str) -> BadRequest:
    return BadRequest(f'unable to parse requirement: "{text}" is not a label selector')


def label_selector_text(selector: JSON | None) -> str:
    """Return a metav1 LabelSelector as a query has it, such as `a=b,c in (d,e),!f`."""
    equal = sorted(((selector or {}).get("matchLabels") or {}).items())
    terms = [f"{key}={value}" for key, value in equal]
    for each in (selector or {}).get("matchExpressions") or []:
        values = f" ({','.join(sorted(each.get('values') or []))})"
        forms = {
            "In": f"{each['key']} in{values}",
            "NotIn": f"{each['key']} notin{values}",
            "DoesNotExist": f"!{each['key']}",
        }
        terms.append(forms.get(each["operator"], each["key"]))
    return ",".join(terms)


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One term on a field: it has the value, or has not."""

    path: tuple[str, ...]
    value: str
    equal: bool

    def matches(self, obj: JSON) -> bool:
        """Tell whether an object meets the term; a field that is missing is empty."""
        return (_read(obj, self.path) == self.value) is self.equal


def field_terms(kind: Kind, text: str) -> tuple[FieldTerm, ...]:
    """Parse a field selector.

    Raises:
        BadRequest: it is malformed, or objects cannot be selected by the field.
    """
    return tuple(_field_term(kind, part) for part in _split_escaped(text) if part)


def _field_term(kind: Kind, part: str) -> FieldTerm:
    match = _FIELD.fullmatch(part)
    if match is None:
        raise BadRequest(f"invalid selector: '{part}'; can't understand '{part}'")
    path = {**_METADATA, **kind.selectable}.get(match["key"])
    if path is None:
        raise BadRequest(
            f'Unable to find "{kind.api_version}, Resource={kind.plural}" that match field '
            f'selector "{part}": field label not supported: {match["key"]}'
        )
    value = re.sub(r"\\(.)", r"\1", match["value"])
    return FieldTerm(tuple(path.lstrip(".").split(".")), value, match["op"] != "!=")


def _split_escaped(text: str) -> list[str]:
    return re.findall(r"(?:[^,\\]|\\.)+", text, re.DOTALL)


def _read(obj: JSON, path: Sequence[str]) -> str:
    found: object = obj
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return str(found).lower()
    return "" if found is None else str(found)


def selector(kind: Kind, labels: str = "", fields: str = "") -> Selector | None:
    """Return the test that both selectors make together; None if all objects pass.

    Raises:
        BadRequest: one of them is malformed.
    """
    requirements, terms = label_requirements(labels), field_terms(kind, fields)
    if not requirements and not terms:
        return None

    def passes(obj: JSON) -> bool:
        # a loop: each write asks the watch of each node
        for term in terms:
            if not term.matches(obj):
                return False
        found = obj["metadata"].get("labels") or {}
        return all(each.matches(found) for each in requirements)

    return passes
