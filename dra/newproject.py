"""Makes the project of a new driver: a module that works, its test, and what packs it.

The files are templates beside this module; `$` begins a placeholder.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from api import __version__
from dra.errors import CannotCreate

_NAME: Final = re.compile(r"[a-z][-a-z0-9]*[a-z0-9]")
_LONGEST: Final = 40


def create(name: str, directory: Path) -> list[Path]:
    """Write a project into a directory, which is made; return its files.

    Args:
        name: of the devices, such as `gpu`; the driver's name and module are made of it.
        directory: has to be empty, if it is there.

    Raises:
        CannotCreate: the name cannot be that of a driver, or the directory is in use.
    """
    written = _project(name)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise CannotCreate(f"{directory} is not empty; give another --directory")
        for path, text in written.items():
            (directory / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotCreate(
            f"cannot write the project to {directory}: {error.strerror}; give another --directory"
        ) from error
    return [directory / path for path in written]


def _project(name: str) -> Mapping[str, str]:
    """Return the texts of a project by the names of their files."""
    values = _values(name)
    module = values["module"]
    templates = {
        f"{module}.py": "driver.py",
        f"test_{module}.py": "test.py",
        "pyproject.toml": "pyproject.toml",
        "Dockerfile": "Dockerfile",
        "README.md": "README.md",
    }
    source = files("dra") / "templates"
    return {
        path: Template((source / f"{template}.tmpl").read_text("utf-8")).substitute(values)
        for path, template in templates.items()
    }


def _values(name: str) -> Mapping[str, str]:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise CannotCreate(
            f"{name!r} cannot be part of the names of a driver and of a Python module; give 2 to "
            f"{_LONGEST} lower-case letters, digits and hyphens, with a letter first and no "
            "hyphen last, such as gpu or serial-port"
        )
    if name.startswith("test"):
        raise CannotCreate(
            f"{name!r} begins with test, so that pytest takes the driver for a test of its own; "
            f"begin with another word, as rig-{name}"
        )
    return {
        "name": name,
        "module": f"{name.replace('-', '_')}_driver",
        "driver": "".join(part.capitalize() for part in name.split("-")) + "Driver",
        "variable": name.upper().replace("-", "_"),
        "version": __version__,
    }
