"""Images out of a Dockerfile: by docker where its daemon answers, else by buildah in a chroot.

Where the public base image cannot be pulled, a stand-in takes its place: the distribution's own
Python in a minimal root file system, with the certificate authorities that this machine trusts. The
package index is the one that the user's pip is configured for; it is handed to the build in the
environment, so that it is in no command line and in no image.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.e2e.cluster import images, packages
from tests.e2e.cluster.commands import Progress, run, succeeds
from tests.e2e.cluster.errors import CommandFailed
from tests.e2e.cluster.layout import Layout

BASE_ARGUMENT: Final = "BASE_IMAGE"
"""Build argument of the Dockerfile that names the image to build on."""

_INDEX_ARGUMENT = "PIP_INDEX_URL"
_STAND_IN = "localhost/fake-dra-e2e/python:distribution"
_STAND_IN_PACKAGES = "ca-certificates,python3,python3-venv"
_TRUSTED = "etc/ssl/certs/ca-certificates.crt"


def build(
    layout: Layout,
    context: Path,
    image: str,
    arguments: Mapping[str, str],
    progress: Progress,
) -> Path:
    """Build an image and return its archive, which the next `up` loads too.

    Args:
        layout: where the archive goes.
        context: directory with the Dockerfile.
        image: name and tag.
        arguments: build arguments.
        progress: told each step.

    Raises:
        CommandFailed: the build failed; the message ends with what it wrote last.
    """
    archive = images.archive_of(layout, image)
    archive.parent.mkdir(parents=True, exist_ok=True)
    wanted = {**_index(), **arguments}
    if succeeds("docker", "info", timeout=10):
        with progress.step(f"image {image} by docker"):
            _build(["docker", "build"], context, image, wanted)
            run("docker", "save", "--output", archive, image)
        return archive
    packages.install(packages.IMAGE_BUILDER, progress)
    buildah = _buildah(layout)
    wanted = {**_base(layout, buildah, context, progress), **wanted}
    with progress.step(f"image {image} by buildah"):
        _build([*buildah, "bud", "--isolation=chroot", "--pull"], context, image, wanted)
        archive.unlink(missing_ok=True)
        run(*buildah, "push", image, f"docker-archive:{archive}:{image}")
        run(*buildah, "rmi", "--prune")
    return archive


def public_base(dockerfile: str) -> str | None:
    """Return the image that a Dockerfile builds on unless told otherwise."""
    found = re.search(rf"^ARG {BASE_ARGUMENT}=(\S+)", dockerfile, re.MULTILINE)
    return found[1] if found else None


def _build(tool: list[str], context: Path, image: str, arguments: Mapping[str, str]) -> None:
    named = [f"--build-arg={name}" for name in arguments]
    run(*tool, *named, "--tag", image, context, environment={**os.environ, **arguments})


def _index() -> Mapping[str, str]:
    """Return the build argument for the package index that pip is configured for, if any."""
    url = os.environ.get(_INDEX_ARGUMENT)
    try:
        url = url or run(sys.executable, "-m", "pip", "config", "get", "global.index-url").strip()
    except CommandFailed:
        return {}
    return {_INDEX_ARGUMENT: url}


def _buildah(layout: Layout) -> list[str]:
    """Return the start of a buildah command; what it mounts goes with its mount namespace."""
    store = layout.cache / "buildah"
    places = [f"--root={store / 'root'}", f"--runroot={store / 'run'}"]
    return ["unshare", "--mount", "buildah", "--storage-driver=overlay", *places]


def _base(
    layout: Layout, buildah: list[str], context: Path, progress: Progress
) -> Mapping[str, str]:
    """Return the build argument for a base image that can be had."""
    public = public_base((context / "Dockerfile").read_text(encoding="utf-8"))
    if public is None:
        return {}
    if not succeeds(*buildah, "inspect", "--type=image", _STAND_IN):
        if succeeds(*buildah, "pull", "--quiet", f"docker://{public}", timeout=600):
            return {}
        with progress.step(f"stand-in for the base image {public}, which cannot be pulled"):
            _make_stand_in(layout, buildah)
    return {BASE_ARGUMENT: _STAND_IN}


def _make_stand_in(layout: Layout, buildah: list[str]) -> None:
    root = layout.cache / "src" / "stand-in"
    if root.exists():
        shutil.rmtree(root)
    _install_root(root)
    container = run(*buildah, "from", "scratch").strip()
    run(*buildah, "add", "--quiet", container, root, "/")
    run(*buildah, "config", "--env=PATH=/usr/local/bin:/usr/bin:/bin", container)
    run(*buildah, "commit", "--quiet", "--rm", container, _STAND_IN)
    shutil.rmtree(root)


def _install_root(root: Path) -> None:
    """Install a minimal root file system with Python, that trusts whom this machine trusts."""
    release = packages.codename()
    options = ["--variant=minbase", f"--include={_STAND_IN_PACKAGES}"]
    root.mkdir(parents=True)
    run("debootstrap", *options, release, root, packages.mirror(release))
    shutil.copyfile(f"/{_TRUSTED}", root / _TRUSTED)
    # the pip of some releases trusts its own list only
    (root / "etc" / "pip.conf").write_text(f"[global]\ncert = /{_TRUSTED}\n", encoding="utf-8")
    for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
        shutil.rmtree(root / waste, ignore_errors=True)
