import ipaddress
import json
import socket
import tomllib
from pathlib import Path

from tests.e2e.cluster import containerd, controlplane, kubelet, network
from tests.e2e.cluster.certificates import Authority, kubeconfig
from tests.e2e.cluster.layout import Layout
from tests.e2e.cluster.versions import Version, parse
from tests.support.tables import cases

LAYOUT = Layout(Path("/cache"), Path("/state"))
PKI = Authority(LAYOUT.pki)
PROGRAMS = Path("/programs")


@cases(
    ("release", "api", "gates"),
    {
        "1.30": (Version(30, 14), "v1alpha2", "DynamicResourceAllocation=true"),
        "1.31": (
            Version(31, 4),
            "v1alpha3",
            "DynamicResourceAllocation=true,DRAControlPlaneController=true",
        ),
    },
)
def test_control_plane_serves_classic_claims(release: Version, api: str, gates: str) -> None:
    server = controlplane.api_server(PROGRAMS, release, PKI)
    assert f"--runtime-config=resource.k8s.io/{api}=true" in server
    manager = controlplane.controller_manager(PROGRAMS, release, PKI, LAYOUT.volume_plugins)
    for command in (server, controlplane.scheduler(PROGRAMS, release, PKI), manager):
        assert f"--feature-gates={gates}" in command


def test_switched_gates_reach_every_component() -> None:
    release = parse("1.35", "DRAPartitionableDevices=true")
    flag = "--feature-gates=DRAPartitionableDevices=true"
    assert flag in controlplane.api_server(PROGRAMS, release, PKI)
    assert flag in controlplane.scheduler(PROGRAMS, release, PKI)
    assert flag in controlplane.controller_manager(PROGRAMS, release, PKI, LAYOUT.volume_plugins)
    assert kubelet.config(LAYOUT, release, PKI)["featureGates"] == {"DRAPartitionableDevices": True}


def test_node_takes_as_many_pods_as_it_has_addresses() -> None:
    room = ipaddress.ip_network(network.PODS).num_addresses
    assert room - 20 < kubelet.config(LAYOUT, Version(37, 2), PKI)["maxPods"] < room - 3


def test_api_server_authorizes_like_a_real_one() -> None:
    server = controlplane.api_server(PROGRAMS, Version(30, 14), PKI)
    assert "--authorization-mode=Node,RBAC" in server
    assert "--enable-admission-plugins=NodeRestriction" in server


def test_api_server_reaches_the_pods_of_a_webhook() -> None:
    server = controlplane.api_server(PROGRAMS, Version(30, 14), PKI)
    assert "--enable-aggregator-routing=true" in server


def test_containerd_reads_cdi_files_and_keeps_to_its_directories() -> None:
    config = tomllib.loads(containerd.config(LAYOUT))
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["enable_cdi"] is True
    assert runtime["cdi_spec_dirs"] == ["/etc/cdi", "/var/run/cdi"]
    assert (
        runtime["containerd"]["runtimes"]["runc"]["options"]["Root"] == "/state/containerd-run/runc"
    )
    assert config["grpc"]["address"] == "/state/containerd.sock"


def test_pods_get_addresses_that_the_host_reaches() -> None:
    bridge, _ = containerd.pod_network(Path("/leases"))["plugins"]
    assert bridge["ipam"]["subnet"] == network.PODS
    assert f"ip route add {network.PODS} via {network.NODE_IP}" in [
        " ".join(argv[:6]) for argv in network.commands()
    ]


def test_node_reaches_nothing_but_the_host_and_its_pods() -> None:
    routes = [argv for argv in network.commands() if argv[:2] == ["ip", "-n"] and "route" in argv]
    assert [argv[5] for argv in routes] == [network.API_SERVICE_IP]


def test_kubelet_has_the_gate_and_writes_nowhere_else() -> None:
    config = kubelet.config(LAYOUT, Version(31, 4), PKI)
    assert config["featureGates"] == {"DynamicResourceAllocation": True}
    assert config["volumePluginDir"] == "/state/volume-plugins"
    json.dumps(config)


def test_reboot_takes_sockets_and_nothing_else(tmp_path: Path) -> None:
    plugin = tmp_path / "plugins" / "driver"
    plugin.mkdir(parents=True)
    (plugin / "checkpoint.json").write_text("{}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(plugin / "plugin.sock"))
    kubelet.remove_sockets(tmp_path)
    assert [p.name for p in plugin.iterdir()] == ["checkpoint.json"]


def test_kubeconfig_stands_for_itself() -> None:
    config = kubeconfig("admin", b"authority", b"certificate", b"key")
    assert config["clusters"][0]["cluster"] == {
        "server": "https://198.51.100.1:6443",
        "certificate-authority-data": "YXV0aG9yaXR5",
    }
    assert config["current-context"] == config["contexts"][0]["name"] == "admin"
