"""Programs of the distribution, by the apt that the user has configured."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from tests.e2e.cluster.commands import Progress, run, succeeds
from tests.e2e.cluster.errors import Unsuitable

NODE = (
    "busybox-static",
    "conntrack",
    "containernetworking-plugins",
    "etcd-server",
    "iproute2",
    "iptables",
    "openssl",
    "procps",
    "runc",
    "util-linux",
)
"""What `up` needs."""

IMAGE_BUILDER = ("buildah", "debootstrap")
"""What building an image needs where there is no docker."""


def install(names: Iterable[str], progress: Progress) -> None:
    """Install the packages that are missing.

    Raises:
        Unsuitable: there is no apt here.
        CommandFailed: apt could not.
    """
    missing = [name for name in names if not _installed(name)]
    if not missing:
        return
    if not succeeds("apt-get", "--version"):
        raise Unsuitable(
            f"there is no apt to install {', '.join(missing)}; Debian 12 is known good"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with progress.step(f"install {' '.join(missing)}"):
        run("apt-get", "update", environment=environment)
        options = ("--yes", "--no-install-recommends")
        run("apt-get", "install", *options, *missing, environment=environment)


def codename() -> str:
    """Return the name of this release of the distribution, such as `bookworm`."""
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r'^VERSION_CODENAME="?([\w.-]+)"?$', text, re.MULTILINE)
    if not found:
        raise Unsuitable("/etc/os-release has no VERSION_CODENAME; Debian 12 is known good")
    return found[1]


def mirror(release: str) -> str:
    """Return the URL that apt takes the main packages of a release from.

    Raises:
        Unsuitable: apt is not configured for that release.
    """
    wanted = ("Created-By: Packages", f"Codename: {release}", "Component: main")
    sites = run("apt-get", "indextargets", "--format", "$(SITE)", *wanted).split()
    if not sites:
        raise Unsuitable(f"apt has no source for the main packages of {release}")
    return sites[0]


def _installed(name: str) -> bool:
    return succeeds("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", name)
