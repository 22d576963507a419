"""Keeps the outputs in README.md those of a real run: `python -m tests.support.readme` renews them.

An output is the code block after a line `<!-- output: NAME -->`.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

_BLOCK = re.compile(r"(<!-- output: (\w+) -->\n)(?:\n```console\n(.*?)```\n)?", re.DOTALL)
_TITLES = {
    "devices": "The devices that each node offers",
    "split": "Four devices, each split in two",
    "children": "The children, with their parents",
}
# a device has the same id in each run, which only FAKE- stands in front of
_UUID = re.compile(r"(?<!FAKE-)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SUFFIX = re.compile(r"(pod\d-\w+)-[a-z0-9]{5}\b")


def walkthrough(*options: str) -> str:
    """Run the demo and return what it prints; an AssertionError when it fails."""
    command = [sys.executable, "-m", "demo.walkthrough", *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def outputs(printed: str) -> dict[str, str]:
    """Cut what the demo prints into the outputs that the README shows."""
    demos = re.findall(r"^(test\d):\n(.*?\n)\n", printed, re.MULTILINE | re.DOTALL)
    found = dict(demos)
    for name, title in _TITLES.items():
        start = printed.index("\n", printed.index(f"== {title}")) + 1
        found[name] = printed[start : printed.index("\n\n", start) + 1]
    return found


def shown(text: str) -> dict[str, str]:
    """Return the outputs that the README shows, by name."""
    return {match[2]: match[3] for match in _BLOCK.finditer(text)}


def alike(output: str) -> str:
    """Return an output without what differs from run to run: uids of claims and generated names.

    Shells differ in how they quote.
    """
    return _UUID.sub("<uid>", _SUFFIX.sub(r"\1-xxxxx", output.replace('"', "'")))


def renewed(text: str, found: dict[str, str]) -> str:
    """Return the README with those outputs of a run that it shows otherwise."""

    def block(match: re.Match[str]) -> str:
        if alike(match[3] or "") == alike(found[match[2]]):
            return match[0]
        return f"{match[1]}\n```console\n{found[match[2]]}```\n"

    return _BLOCK.sub(block, text)


def differences(text: str, found: dict[str, str]) -> Iterator[str]:
    """Yield the names of outputs that a run does not print as the README shows them."""
    for name, block in shown(text).items():
        if alike(block or "") != alike(found.get(name, "")):
            yield name


if __name__ == "__main__":
    README.write_text(renewed(README.read_text("utf-8"), outputs(walkthrough())), "utf-8")
