"""Follows docs/tutorial.md: writes its files, runs its commands, and notes what they print.

A line before a block says what the reader does with it: `<!-- write: FILE -->`, `append: FILE`,
`change: FILE [CLASS]` for functions that replace those of their names, and `by hand: REASON` for
what is not run. `python -m tests.support.tutorial` renews the outputs.
"""

import ast
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial.md"
_BLOCK = re.compile(r"(?:<!-- ([\w ]+): (.+?) -->\n\n)?```(\w+)\n(.*?)```\n", re.DOTALL)
_SECONDS = re.compile(r" in \d+\.\d+s")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code.

    Attributes:
        what: the reader does with it; empty if that is not said.
        about: the file, or the reason.
        language: of the block.
        text: in it.
    """

    what: str
    about: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """Return all blocks of code of a page."""
    return [Block(*(part or "" for part in match.groups())) for match in _BLOCK.finditer(page)]


class Reader:
    """Somebody who follows the tutorial."""

    def __init__(self, where: Path) -> None:
        """Begin in a directory."""
        self.where = where

    def follow(self, block: Block) -> str:
        """Do what a block says; return what it becomes when it was run, else as it is."""
        match block.what:
            case "write":
                (self.where / block.about).write_text(block.text, "utf-8")
            case "append":
                path = self.where / block.about
                path.write_text(f"{path.read_text('utf-8')}\n\n{block.text}", "utf-8")
            case "change":
                name, _, owner = block.about.partition(" ")
                path = self.where / name
                path.write_text(changed(path.read_text("utf-8"), block.text, owner), "utf-8")
            case "" if block.language == "console":
                return "".join(self._session(block.text))
        return block.text

    def _session(self, text: str) -> Iterator[str]:
        for line in text.splitlines():
            if line.startswith("$ "):
                yield f"{line}\n{self._run(line.removeprefix('$ '))}"

    def _run(self, command: str) -> str:
        if command.startswith("cd "):
            self.where = self.where / command.removeprefix("cd ")
            return ""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=self.where,
            env={**os.environ, "PATH": path, "PYTHONPATH": "", "COLUMNS": "80"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not ended.stderr, f"{command}: {ended.stderr}"
        return ended.stdout


def changed(text: str, shown: str, owner: str) -> str:
    """Return a module with shown functions in place of those of their names, or behind them.

    Args:
        text: of the module.
        shown: functions, or methods as they stand in their class.
        owner: name of that class; empty for functions, which go before `if __name__`.
    """
    added = textwrap.dedent(shown)
    for node in ast.parse(added).body:
        assert isinstance(node, ast.FunctionDef)
        assert node.end_lineno is not None
        lines = added.splitlines()[node.lineno - 1 : node.end_lineno]
        text = _with_function(text, node.name, "\n".join(lines), owner)
    return text


def _with_function(text: str, name: str, function: str, owner: str) -> str:
    lines, module = text.splitlines(), ast.parse(text)
    body: list[ast.stmt] = module.body
    if owner:
        (found,) = (n for n in body if isinstance(n, ast.ClassDef) and n.name == owner)
        body, function = found.body, textwrap.indent(function, "    ")
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            lines[node.lineno - 1 : node.end_lineno] = [function]
            return "\n".join(lines) + "\n"
    last = body[-1] if owner else body[-2]
    gap = "\n" if owner else "\n\n"
    assert last.end_lineno is not None
    lines.insert(last.end_lineno, gap + function)
    return "\n".join(lines) + "\n"


def alike(output: str) -> str:
    """Return an output without what differs from run to run."""
    return _SECONDS.sub(" in <time>", output)


def renewed(page: str, where: Path) -> str:
    """Return the page with those outputs of a run that it shows otherwise."""
    reader = Reader(where)

    def block(match: re.Match[str]) -> str:
        shown = Block(*(part or "" for part in match.groups()))
        found = reader.follow(shown)
        if alike(found) == alike(shown.text):
            return match[0]
        return match[0].replace(shown.text, found)

    return _BLOCK.sub(block, page)


if __name__ == "__main__":
    with TemporaryDirectory() as directory:
        PAGE.write_text(renewed(PAGE.read_text("utf-8"), Path(directory)), "utf-8")
