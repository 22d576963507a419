"""What CDI ids mean for a container: the runtime's half of the Container Device Interface.

Reads every spec file of the node's CDI directories for each container, as containerd does after a
refresh, and is as strict as its library: a file that breaks the specification defines nothing.
Source: tags.cncf.io/container-device-interface v1.0.1, pkg/cdi; protocol of CRI runtimes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from api.objects import JSON
from devcluster.kubelet.cdispec import check_spec
from devcluster.kubelet.errors import InvalidCdiSpec, UnresolvableDevices
from ops.logs import get_logger

_SUFFIXES = frozenset({".json", ".yaml"})

_log = get_logger("kubelet.cdi")


@dataclass(frozen=True, slots=True)
class ContainerEdits:
    """What is changed in a container.

    Attributes:
        env: variables in the order of the specs; a later one of the same name wins.
        ignored: edits that have no meaning for a local process, e.g. `mounts`.
    """

    env: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Definition:
    """A device of a spec file, and how much its directory counts."""

    path: Path
    priority: int
    common: JSON
    device: JSON


def resolve(directories: Sequence[Path], ids: Sequence[str]) -> ContainerEdits:
    """Return what a local process gets for some CDI ids; see `edits_of`."""
    merged = edits_of(directories, ids)
    pairs = (text.partition("=") for text in merged.pop("env", ()))
    return ContainerEdits(tuple((name, value) for name, _, value in pairs), tuple(sorted(merged)))


def edits_of(directories: Sequence[Path], ids: Sequence[str]) -> dict[str, list[Any]]:
    """Return all container edits for some qualified CDI device ids, by field and in order.

    Args:
        directories: of spec files, a later one wins.
        ids: in the order in which their edits apply; a file's common edits come first, once.

    Raises:
        UnresolvableDevices: with every id that no file defines, or two files equally.
    """
    if not ids:
        return {}
    known = _definitions(directories)
    missing = [id_ for id_ in ids if id_ not in known]
    if missing:
        raise UnresolvableDevices(f"unresolvable CDI devices {', '.join(missing)}")
    edits: list[JSON] = []
    seen: set[Path] = set()
    for id_ in ids:
        found = known[id_]
        if found.path not in seen:
            seen.add(found.path)
            edits.append(found.common)
        edits.append(found.device)
    return _merged(edits)


def load_spec(path: Path) -> JSON:
    """Read one spec file.

    Raises:
        InvalidCdiSpec: not readable as JSON or YAML, or against the specification.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidCdiSpec(f"CDI spec {path} cannot be read: {error}") from error
    problem = check_spec(raw)
    if problem is not None:
        raise InvalidCdiSpec(f"CDI spec {path} is invalid: {problem}")
    spec: JSON = raw
    return spec


def _definitions(directories: Sequence[Path]) -> Mapping[str, _Definition]:
    known: dict[str, _Definition] = {}
    conflicts: dict[str, int] = {}
    for priority, directory in enumerate(directories):
        for id_, found in _scan(directory, priority):
            other = known.get(id_)
            if other is not None and other.priority == priority:
                _log.warning("Conflicting CDI device", id=id_, first=other.path, second=found.path)
                conflicts[id_] = priority
            known[id_] = found
    return {id_: d for id_, d in known.items() if conflicts.get(id_) != d.priority}


def _scan(directory: Path, priority: int) -> Iterator[tuple[str, _Definition]]:
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir()):
        if path.suffix not in _SUFFIXES or not path.is_file():
            continue
        try:
            spec = load_spec(path)
        except InvalidCdiSpec as error:
            _log.warning("CDI spec skipped", path=path, err=error)
            continue
        common = spec.get("containerEdits") or {}
        for device in spec["devices"]:
            id_ = f"{spec['kind']}={device['name']}"
            yield id_, _Definition(path, priority, common, device["containerEdits"])


def _merged(edits: Iterable[JSON]) -> dict[str, list[Any]]:
    merged: dict[str, list[Any]] = {}
    for edit in edits:
        for field, value in edit.items():
            if value:
                merged.setdefault(field, []).extend(value if isinstance(value, list) else [value])
    return merged
