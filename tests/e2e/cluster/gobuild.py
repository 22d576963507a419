"""Programs out of Go modules, through whatever module proxy the user's go is configured for.

Each set of programs gets a small module of its own that requires the one with the sources. Modules
and compiled packages stay in the caches of go, and a program that is there is not built again, so a
build that was interrupted goes on where it was.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.objects import JSON
from tests.e2e.cluster.commands import Progress, run
from tests.e2e.cluster.errors import Unsuitable
from tests.e2e.cluster.versions import Version

_STAGING = "./staging/src/"
_STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
"""Packages that know the version; up to 1.27 the API server answers with that of the second."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Go module, and the programs wanted of it.

    Attributes:
        module: path of the module.
        version: of the module.
        packages: import path of each program, by the program's name.
        tags: build tags.
        stamps: values of string variables, by their import path and name.
        staging_version: of the modules that the module replaces by its staging directory.
    """

    module: str
    version: str
    packages: Mapping[str, str]
    tags: str = ""
    stamps: Mapping[str, str] = field(default_factory=dict)
    staging_version: str = ""


def kubernetes(version: Version) -> Source:
    """Return the source of the programs of Kubernetes."""
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
    return Source(
        module="k8s.io/kubernetes",
        version=version.module,
        packages={name: f"k8s.io/kubernetes/cmd/{name}" for name in names},
        stamps={
            f"{package}.{variable}": value
            for package in _STAMPED
            for variable, value in _stamps(version).items()
        },
        staging_version=version.staging_module,
    )


def containerd() -> Source:
    """Return the source of containerd 2, its shim and its client."""
    module = "github.com/containerd/containerd/v2"
    names = ("containerd", "containerd-shim-runc-v2", "ctr")
    return Source(
        module=module,
        version="v2.0.7",
        packages={name: f"{module}/cmd/{name}" for name in names},
        tags="no_btrfs no_devmapper no_zfs",
        stamps={f"{module}/version.Version": "v2.0.7"},
    )


def build(source: Source, sources: Path, programs: Path, progress: Progress) -> None:
    """Build the programs that are not in `programs` yet.

    Args:
        source: what to build.
        sources: directory for the small module; made anew.
        programs: directory for the programs.
        progress: told one step for each program.

    Raises:
        Unsuitable: there is no go.
        CommandFailed: go could not.
    """
    missing = [name for name in source.packages if not (programs / name).exists()]
    if not missing:
        return
    if not shutil.which("go"):
        raise Unsuitable("there is no go to build with; 1.24 or newer is needed")
    with progress.step(f"modules of {source.module} {source.version}"):
        _write_module(source, sources)
    programs.mkdir(parents=True, exist_ok=True)
    for name in missing:
        with progress.step(f"build {name} {source.version}"):
            _build_one(source, name, sources, programs)


def build_file(file: Path, program: Path) -> None:
    """Build the program that is one Go file of the standard library only."""
    program.parent.mkdir(parents=True, exist_ok=True)
    _go("build", "-ldflags=-s -w", "-o", str(program), file.name, cwd=file.parent)


def go_mod(source: Source, upstream: JSON) -> str:
    """Return the go.mod of the small module.

    A module's own `replace` lines do not count where it is required, so they are repeated; those
    that point into its staging directory name the published modules instead.

    Args:
        source: what to build.
        upstream: `go mod edit -json` of the module's own go.mod.
    """
    lines = ["module programs", "", f"go {upstream['Go']}", ""]
    lines += [f"require {source.module} {source.version}", ""]
    return "\n".join([*lines, *_replaced(upstream, source.staging_version), ""])


def _stamps(version: Version) -> Mapping[str, str]:
    major, minor = "1", str(version.minor)
    return {"gitVersion": version.module, "gitMajor": major, "gitMinor": minor}


def _replaced(upstream: JSON, staging_version: str) -> Iterator[str]:
    for entry in upstream.get("Replace") or []:
        old, new = entry["Old"]["Path"], entry["New"]
        if new["Path"].startswith(_STAGING):
            yield f"replace {old} => {old} {staging_version}"
        else:
            yield f"replace {old} => {new['Path']} {new['Version']}"


def _write_module(source: Source, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("go.*"):
        old.unlink()
    wanted = f"{source.module}@{source.version}"
    found = json.loads(_go("mod", "download", "-json", wanted, cwd=directory))
    upstream = json.loads(_go("mod", "edit", "-json", found["GoMod"], cwd=directory))
    (directory / "go.mod").write_text(go_mod(source, upstream), encoding="utf-8")


def _build_one(source: Source, name: str, sources: Path, programs: Path) -> None:
    stamps = " ".join(f"-X {variable}={value}" for variable, value in source.stamps.items())
    unfinished = programs / f".{name}"
    options = [f"-tags={source.tags}", f"-ldflags=-s -w {stamps}", "-o", str(unfinished)]
    _go("build", "-mod=mod", *options, source.packages[name], cwd=sources)
    unfinished.replace(programs / name)


def _go(*argv: str, cwd: Path) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0"}
    return run("nice", "go", *argv, cwd=cwd, environment=environment)
