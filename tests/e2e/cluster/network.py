"""The network namespace that the node lives in.

The host and the node are the two ends of one cable, so the host reaches the API server and the pods
by their own addresses, and the node has no way out. There is no kube-proxy: one rule makes the
service `kubernetes` work, which is what pods need to reach the API server. There is no DNS either,
and looking up a name fails at once, since there is no route to where it would be.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.cluster.commands import run, succeeds

NAMESPACE = "fake-dra-e2e"
NODE_IP = "198.51.100.1"
HOST_IP = "198.51.100.2"
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_SERVICE_IP = "10.96.0.10"
API_PORT = 6443

_HOST_END = "fake-dra-e2e"
_NODE_END = "eth0"


def commands() -> Iterator[list[str]]:
    """Return the commands that make the namespace and its cable, in order."""
    node = f"ip -n {NAMESPACE}"
    yield f"ip netns add {NAMESPACE}".split()
    yield f"ip link add {_HOST_END} type veth peer name {_NODE_END} netns {NAMESPACE}".split()
    yield f"ip addr add {HOST_IP}/30 dev {_HOST_END}".split()
    yield f"ip link set {_HOST_END} up".split()
    yield f"ip route add {PODS} via {NODE_IP} dev {_HOST_END}".split()
    yield f"{node} link set lo up".split()
    yield f"{node} addr add {NODE_IP}/30 dev {_NODE_END}".split()
    yield f"{node} link set {_NODE_END} up".split()
    # a packet needs a route before the rule below may send it elsewhere
    yield f"{node} route add {API_SERVICE_IP} via {HOST_IP}".split()
    yield inside("sysctl", "-qw", "net.ipv4.ip_forward=1")
    for chain in ("PREROUTING", "OUTPUT"):
        match = f"-d {API_SERVICE_IP} -p tcp --dport 443".split()
        rule = f"-j DNAT --to-destination {NODE_IP}:{API_PORT}".split()
        yield inside("iptables", "-t", "nat", "-A", chain, *match, *rule)


def inside(*argv: str | Path) -> list[str]:
    """Return a command that runs another one in the network of the node."""
    return ["nsenter", f"--net=/run/netns/{NAMESPACE}", *map(str, argv)]


def create() -> None:
    """Make the namespace.

    Raises:
        CommandFailed: the kernel did not let it.
    """
    for argv in commands():
        run(*argv)


@contextmanager
def detour(port: int) -> Iterator[None]:
    """Let new connections of pods to the service `kubernetes` lead to a port of the host."""
    match = f"-s {PODS} -d {API_SERVICE_IP} -p tcp --dport 443".split()
    rule = ["PREROUTING", *match, "-j", "DNAT", "--to-destination", f"{HOST_IP}:{port}"]
    run(*inside("iptables", "-t", "nat", "-I", *rule))
    try:
        yield
    finally:
        run(*inside("iptables", "-t", "nat", "-D", *rule))


def delete() -> None:
    """Delete the namespace if it is there; the cable goes with it."""
    if succeeds("ip", "link", "show", _HOST_END):
        run("ip", "link", "delete", _HOST_END)
    if Path("/run/netns", NAMESPACE).exists():
        run("ip", "netns", "delete", NAMESPACE)


def exempt_from_proxies() -> dict[str, str]:
    """Return this process's environment, with the node exempt from the user's proxies."""
    known = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    exempt = ",".join(filter(None, [known, NODE_IP, API_SERVICE_IP, "127.0.0.1"]))
    return {**os.environ, "NO_PROXY": exempt, "no_proxy": exempt}
