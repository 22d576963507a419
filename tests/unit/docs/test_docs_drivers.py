"""docs/drivers.md has every name that drivers use, and the limits, gates and services that are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api import limits, validation
from dra.kubelet.services import HEALTH_SERVICES, STRUCTURED_SERVICES
from dra.publish.slices.features import GATES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/drivers.md").read_text("utf-8")
PAGES = ["docs/drivers.md", "docs/tutorial.md", "README.md"]
CODE = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", PAGE))))
PORTS = ["dra/driver.py", "dra/inventory.py"]


def names(path: str) -> Iterator[str]:
    """Yield the public names of a module, and those in its classes."""
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        yield from bound(node)
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                yield from bound(each)


def bound(node: ast.stmt) -> Iterator[str]:
    """Yield the public names that a statement defines for others."""
    found: list[str] = []
    match node:
        case ast.ClassDef(name) | ast.FunctionDef(name):
            found = [name]
        case ast.AnnAssign(target=ast.Name(name)) | ast.Assign(targets=[ast.Name(name)]):
            found = [name]
        case ast.ImportFrom(names=imported):
            found = [each.asname for each in imported if each.asname]
    yield from (each for each in found if not each.startswith("_"))


@pytest.mark.parametrize("path", PORTS)
def test_every_public_name_is_told(path: str) -> None:
    found = set(names(path))
    assert {"dra/driver.py": "PreparingClaim", "dra/inventory.py": "counter_set"}[path] in found
    assert sorted(found - CODE) == []


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    after = PAGE.partition(f"\n{heading}\n")[2]
    rows = re.findall(r"^\|.*?(?=\n\n|\Z)", after, re.MULTILINE | re.DOTALL)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


LIMITS = {
    "name of a device, counter set or counter": validation.LABEL_LENGTH,
    "name of a pool": limits.MAX_POOL_NAME,
    "attributes and capacities of a device together": limits.MAX_ENTRIES,
    "name of an attribute or capacity, without its domain": limits.MAX_IDENTIFIER,
    "text of an attribute, or a version": limits.MAX_VALUE_BYTES,
    "counter sets that a device consumes": limits.MAX_CONSUMED_SETS,
    "counters of a set": limits.MAX_COUNTERS,
    "taints of a device": limits.MAX_TAINTS,
    "binding conditions of a device, and as many failure conditions": limits.MAX_CONDITIONS,
    "valid values of a request policy": limits.MAX_VALID_VALUES,
}


def test_the_limits_are_those_that_are_checked() -> None:
    assert {what: int(most.split()[0]) for what, most in table("### Limits")} == LIMITS
    assert f"ResourceSlices of {limits.MAX_ADVANCED_DEVICES}" in PAGE


def test_the_gates_are_those_that_are_told() -> None:
    shown = {gate for _, gate, _ in table("### What an API server does not store")}
    assert shown == set(GATES.values())


def test_every_service_is_in_the_row_of_its_first_kubelet() -> None:
    rows = {row[0].split()[0]: row[1] for row in table("## Versions")}
    for each in (*STRUCTURED_SERVICES, *HEALTH_SERVICES):
        first = "{}.{}".format(*each.since)
        assert f"`{each.version}`" in rows[first]


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = [each for each in re.findall(r"\]\(([^)]+)\)", text) if "://" not in each]
    assert links
    for link in links:
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
