"""The container runtime of the node: its configuration, its images, its end.

containerd 2 reads CDI files from /etc/cdi and /var/run/cdi, as it does by default.
"""

import json
from pathlib import Path
from string import Template
from typing import Final

from api.objects import JSON
from tests.e2e.cluster import network
from tests.e2e.cluster.commands import run, succeeds
from tests.e2e.cluster.layout import Layout

NAME: Final = "containerd"
PAUSE_IMAGE: Final = "localhost/fake-dra-e2e/pause:1"

_CNI_PROGRAMS = Path("/usr/lib/cni")

# The plugin `opt` would make /opt/containerd, and NRI a socket in /var/run.
_CONFIG = Template("""\
version = 3
root = "$state/containerd"
state = "$run"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "$socket"

[plugins."io.containerd.nri.v1.nri"]
  disable = true

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "$pause"

[plugins."io.containerd.cri.v1.runtime"]
  enable_cdi = true
  cdi_spec_dirs = ["/etc/cdi", "$cdi"]
  netns_mounts_under_state_dir = true
  restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dir = "$cni_programs"
  conf_dir = "$state/cni"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    Root = "$run/runc"
""")


def config(layout: Layout) -> str:
    """Return the content of config.toml."""
    return _CONFIG.substitute(
        state=layout.state,
        run=layout.containerd_run,
        socket=layout.containerd_socket,
        cdi=layout.cdi,
        pause=PAUSE_IMAGE,
        cni_programs=_CNI_PROGRAMS,
    )


def pod_network(leases: Path) -> JSON:
    """Return the CNI configuration: all pods on one bridge.

    Args:
        leases: directory for the addresses that are taken.
    """
    addresses = {"type": "host-local", "dataDir": str(leases), "subnet": network.PODS}
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipam": addresses,
    }
    port_map = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "fake-dra-e2e", "plugins": [bridge, port_map]}


def write_config(layout: Layout) -> None:
    """Write the files that containerd starts with."""
    (layout.state / "containerd.toml").write_text(config(layout), encoding="utf-8")
    cni = layout.state / "cni"
    cni.mkdir(exist_ok=True)
    pods = pod_network(layout.state / "cni-leases")
    (cni / "10-bridge.conflist").write_text(json.dumps(pods), encoding="utf-8")


def command(layout: Layout) -> list[str]:
    """Return the command line of containerd."""
    return [str(layout.containerd_programs / "containerd"), "-c", f"{layout.state}/containerd.toml"]


def answers(layout: Layout) -> bool:
    """Return whether containerd serves."""
    return succeeds(*_ctr(layout), "version", timeout=5)


def load(layout: Layout, archive: Path) -> None:
    """Load the images of a docker-archive or OCI tar file.

    Raises:
        CommandFailed: containerd refused it.
    """
    run(*_ctr(layout), "images", "import", "--local", archive)


def _ctr(layout: Layout) -> list[str]:
    ctr = str(layout.containerd_programs / "ctr")
    return [ctr, f"--address={layout.containerd_socket}", "--namespace=k8s.io"]
