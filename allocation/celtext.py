"""What is seen in the text of a CEL expression, without parsing it.

The library takes some expressions otherwise than Kubernetes, and tells nothing of those that it has
parsed. What is looked for here errs on one side: rather too much is found than too little.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

_MAX_COST: Final = 1_000_000
_MAX_ELEMENTS: Final = 64
"""Of a list or map of a device."""

_LITERAL: Final = re.compile(
    r'(?P<raw>[rR]?)(?:"""(?P<a>.*?)"""|\'\'\'(?P<b>.*?)\'\'\''
    r'|"(?P<c>(?:[^"\\\n]|\\.)*)"|\'(?P<d>(?:[^\'\\\n]|\\.)*)\')|//[^\n]*',
    re.DOTALL,
)
_MACRO: Final = re.compile(r"\.\s*(all|exists|exists_one|existsOne|map|filter|transform\w+)\s*\(")
_TWO_VARIABLES: Final = re.compile(r"\.\s*(?:all|exists\w*|transform\w+)\s*\(\s*\w+\s*,\s*\w+\s*,")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([\w.]+)'")
_NUMBERS: Final = re.compile(
    r"no matching overload for '_[<>]=?_' applied to '\((?:int|uint|double), (?:int|uint|double)\)'"
)
_ELSEWHERE: Final = re.compile(
    r"(?:cidr|containsCIDR|containsIP|distinct|family|find|findAll|first|flatten|format|includes|"
    r"getEscapedPath|getHost|getHostname|getPort|getQuery|getScheme|ip|isCIDR|isGlobalUnicast|isIP|"
    r"isLinkLocalMulticast|isLinkLocalUnicast|isLoopback|isSorted|isURL|isUnspecified|jsonpatch|"
    r"last|lists|masked|max|min|prefixLength|range|reverse|sets|slice|sort|sortBy|sum|transformList|"
    r"transformMap|transformMapEntry|url|validate)(?:\..*)?|device"
)
"""What Kubernetes has and the library has not; and `device` as a whole, which is missing here."""

_CAPACITY: Final = r"device\s*\.\s*capacity\s*\[[^\]]*\]\s*\.\s*\??\s*\w+"
_QUANTITY: Final = r"\bquantity\s*\([^()]*\)"
_SEMVER: Final = r"\bsemver\s*\([^()]*\)"
_OTHERWISE: Final = {
    re.compile(r"\bhas\s*\(\s*device\s*\.\s*\w+\s*\)"): (
        "has() of a member of device can't be told here"
    ),
    re.compile(r"\.\s*format\s*\(|\bstrings\s*\.\s*quote\s*\("): (
        "format() and quote() differ from those of Kubernetes"
    ),
    re.compile(
        rf"(?:{_QUANTITY}|\b{_CAPACITY}|{_SEMVER})\s*[=!]="
        rf"(?!\s*(?:quantity\s*\(|semver\s*\(|{_CAPACITY}))"
        rf"|\bdyn\s*\(\s*(?:{_QUANTITY}|{_SEMVER})"
    ): "how it compares quantities or versions with something else can't be told here",
    re.compile(
        r'\b(?:double|uint|timestamp|duration)\s*\(\s*""|\bstring\s*\(\s*(?:null\b|[\[{])'
    ): "what is converted at compile time can't be told here",
    re.compile(r"\bint\s*\("): "int() takes a bool here, but not in Kubernetes",
    re.compile(r"\{[^{}]*,"): "whether a map is of one type can't be told here",
}
_NAMES: Final = re.compile(r"\bcel\s*\.\s*bind\s*\(|\.\s*opt(?:Flat)?Map\s*\(")
_ENDS_EARLY: Final = re.compile(r"\.\s*(?:all|exists)\s*\(")
"""After a loop that has ended early, the library takes its variable for one that is named later."""

_DOMAINS: Final = re.compile(r"\bdevice\s*\.\s*(?:attributes|capacity)\b")
_INDEXED: Final = re.compile(r"\s*(?:\[|\.\s*\??\s*(?P<name>\w+)\b(?!\s*\())")
_MAP: Final = (
    r"device\s*\.\s*attributes\s*"
    r'(?:\[\s*\??\s*(?:""|device\s*\.\s*driver)\s*\]|\.\s*\??\s*\w+)'
)
_NAMING: Final = re.compile(
    rf"\bin\s+{_MAP}(?!\s*[.\[])|\b{_MAP}\s*(?:,|\[|\.\s*\??\s*\w+\b(?!\s*\())"
)
_WHOLE: Final = re.compile(r"\bsize\s*\(")
_WORD: Final = re.compile(r"\w+")
_BEGINS_LIST: Final = re.compile(r"(?:^|[^\w\])\s]|\bin)\s*$")
_COMPUTED: Final = re.compile(r"\[\s*(?!device\b)[A-Za-z_]\w*\s*\]")
_HAS: Final = re.compile(r"\bhas\s*\([^()]*\)")
_COMPARED: Final = re.compile(r"\.\s*(?:compareTo|isGreaterThan|isLessThan)\s*\([^()]*\)")
_OF_VERSIONS: Final = (
    r"(?![\"']?\s*\]?\s*(?:\.\s*(?:isGreaterThan|isLessThan|compareTo|major|minor|patch)\s*\("
    r"|\.\s*orValue\s*\(\s*semver\s*\(|[=!]=\s*semver\s*\(|(?<=[\"'] )in\b))"
)
_ELEMENTS: Final = (
    re.compile(r'""'),
    re.compile(r"-?\d+"),
    re.compile(r"\d+u"),
    re.compile(r"-?\d+\.\d+"),
    re.compile(r"true|false"),
    re.compile(r'quantity\s*\(\s*""\s*\)'),
    re.compile(r'semver\s*\(\s*""\s*\)'),
)


@dataclass(frozen=True)
class Text:
    """An expression.

    Attributes:
        bare: without what its texts say, and without comments.
    """

    expression: str
    bare: str

    @classmethod
    def of(cls, expression: str) -> "Text":
        """Return what is seen in an expression."""
        return cls(expression, _LITERAL.sub('""', expression))

    @cached_property
    def unsupported(self) -> str:
        """Why it can't be taken as Kubernetes takes it; empty if it can."""
        for pattern, reason in _OTHERWISE.items():
            if pattern.search(self.bare):
                return reason
        if _NAMES.search(self.bare) and _ENDS_EARLY.search(self.bare):
            return "what bind() or optMap() name can't be told here beside all() or exists()"
        if not all(map(_is_of_one_type, _lists(self.bare))):
            return "whether a list is of one type can't be told here"
        elements = max(_MAX_ELEMENTS, self.bare.count(","))
        loops = len(_MACRO.findall(self.bare))
        if loops > 1 and elements**loops * (self.bare.count(".") + 1) > _MAX_COST:
            return f"its cost can't be estimated here, and {loops} loops may exceed the limit"
        return ""

    def is_invalid(self, problem: str) -> bool:
        """Tell whether what the library can't compile does not compile in Kubernetes either."""
        if _TWO_VARIABLES.search(self.bare) or _NUMBERS.search(problem):
            return False
        if undeclared := _UNDECLARED.search(problem):
            return not _ELSEWHERE.fullmatch(undeclared[1])
        return "Syntax error" in problem or "no matching overload for '_" in problem

    @cached_property
    def domains(self) -> frozenset[str]:
        """What it may index attributes and capacity with."""
        return frozenset({use["name"] for use in self._uses if use and use["name"]}) | frozenset(
            match[group]
            for match in _LITERAL.finditer(self.expression)
            for group in "abcd"
            if match[group] is not None
        )

    @cached_property
    def is_indexed(self) -> bool | None:
        """Whether it does nothing but index these; None if it does other things only."""
        uses = self._uses
        return all(uses) if any(uses) or not uses else None

    @cached_property
    def names(self) -> frozenset[str] | None:
        """What it says of attributes depends on those named so only; None if on all."""
        maps = len(re.findall(r"\bdevice\s*\.\s*attributes\b", self.bare))
        if _MACRO.search(self.bare) or _WHOLE.search(self.bare):
            return None
        return frozenset(_WORD.findall(self.expression)) if self._naming == maps else None

    def compares_otherwise(self, versions: Iterable[str]) -> str:
        """Return a version that is used in another way than versions are; empty if none is.

        Kubernetes ends with an error where one is compared with something else.
        """
        text = _COMPARED.sub(".compareTo()", _HAS.sub("", self.expression))
        computed = _COMPUTED.search(self.bare)
        for name in versions:
            if computed or re.search(rf"\b{re.escape(name)}\b{_OF_VERSIONS}", text):
                return name
        return ""

    @cached_property
    def _uses(self) -> list["re.Match[str] | None"]:
        return [_INDEXED.match(self.bare, use.end()) for use in _DOMAINS.finditer(self.bare)]

    @cached_property
    def _naming(self) -> int:
        return len(_NAMING.findall(self.bare))


def _lists(bare: str) -> Iterator[list[str]]:
    """Yield the elements of each list that is written out."""
    opened: list[tuple[bool, list[int]]] = []
    for index, char in enumerate(bare):
        if char in "[({":
            is_list = char == "[" and _BEGINS_LIST.search(bare[:index]) is not None
            opened.append((is_list, [index]))
        elif char == "," and opened:
            opened[-1][1].append(index)
        elif char in "])}" and opened:
            is_list, cuts = opened.pop()
            if is_list:
                yield [bare[a + 1 : b].strip() for a, b in pairwise([*cuts, index])]


def _is_of_one_type(elements: Sequence[str]) -> bool:
    """Tell whether the elements of a list are certainly of one type, which Kubernetes demands."""
    return len(elements) < 2 or any(
        all(pattern.fullmatch(each) for each in elements) for pattern in _ELEMENTS
    )
