"""Which of Kubernetes' own end-to-end tests of DRA this project repeats, and why not the others.

`docs/compatibility.md` shows the same list to readers. The numbers are this project's, in the order
of the upstream files; a case is repeated by the test whose name begins with `test_e2e_<number>` or
`test_node_<number>`.
Source: kubernetes test/e2e/dra/dra.go v1.30.14 (64 to 98); test/e2e_node/dra_test.go v1.30.14 to
v1.36.0 (99 to 120).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CASES: Final = range(64, 121)

_SHAREABLE = "every allocation of this driver may be shared"
_ONE_DRIVER = "it takes two drivers, and this is one"
_STRUCTURED = "about ResourceSlices, which a classic driver has not"

INAPPLICABLE: Final[Mapping[int, str]] = {
    82: _SHAREABLE,
    87: "the devices belong to nodes, none is attached by a network",
    89: f"{_ONE_DRIVER}; that both claims of a pod move together is a test of its own",
    92: _SHAREABLE,
    96: "this driver always reserves a claim for the pod that it was allocated for",
    97: _ONE_DRIVER,
    98: _STRUCTURED,
    110: _ONE_DRIVER,
    111: _ONE_DRIVER,
    112: _ONE_DRIVER,
    115: _STRUCTURED,
    116: _STRUCTURED,
    117: _STRUCTURED,
    118: "kubelets ask again from 1.34 on, after the last with classic claims",
    119: "about kubelets from 1.35 on, after the last with classic claims",
    120: "about kubelets from 1.34 on, after the last with classic claims",
}

_TEST = re.compile(r"^def test_(?:e2e|node)_(\d+)_", re.MULTILINE)
_ROW = re.compile(r"^\| (\d+) \| [^|]+ \| (.+?) \|$", re.MULTILINE)
_STRUCTURED_CASES = "\n## Node cases of a structured driver\n"


def repeated(folders: list[Path]) -> set[int]:
    """Return the numbers of the cases that tests in these folders repeat."""
    files = [path for folder in folders for path in folder.glob("test_*.py")]
    return {int(n) for path in files for n in _TEST.findall(path.read_text(encoding="utf-8"))}


def rows(page: str) -> dict[int, str]:
    """Return the last column of a page's table of cases of a classic driver, by number."""
    return _rows(page.partition(_STRUCTURED_CASES)[0])


def structured_rows(page: str) -> dict[int, str]:
    """Return what a page says of each case of a structured driver, by number."""
    return _rows(page.partition(_STRUCTURED_CASES)[2])


def _rows(page: str) -> dict[int, str]:
    return {int(number): text for number, text in _ROW.findall(page)}


def named_tests(page: str) -> set[str]:
    """Return the names of tests that a page mentions."""
    return set(re.findall(r"`(test_\w+)`", page))


def all_tests(folders: list[Path]) -> set[str]:
    """Return the names of the tests in these folders."""
    files = [path for folder in folders for path in folder.glob("test_*.py")]
    found = (re.findall(r"^def (test_\w+)", p.read_text(encoding="utf-8"), re.M) for p in files)
    return {name for names in found for name in names}
