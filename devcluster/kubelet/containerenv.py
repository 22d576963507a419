"""The command line and the environment of a container, from its manifest.

Pure. Source: kubernetes third_party/forked/golang/expansion and pkg/kubelet/kubelet_pods.go.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

from api.objects import JSON
from api.pods import Pod
from devcluster.kubelet.errors import InvalidContainer
from devcluster.podclaims import node_of

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IDLE_COMMAND: Final = ("sleep", "infinity")
"""Runs when a manifest has no command: the image that would bring one is never opened."""

_REFERENCE = re.compile(r"\$(\$|\(([^()\s]+)\))")
_SHELLS: Final = frozenset({"ash", "bash", "sh"})
_FALLBACK_SHELL: Final = "/bin/sh"


def environment(
    pod: Pod,
    container: JSON,
    *,
    home: str,
    address: str,
    cdi: Iterable[tuple[str, str]],
    service: Mapping[str, str],
) -> dict[str, str]:
    """Return all variables of a container.

    Args:
        pod: the pod, for `fieldRef` and HOSTNAME.
        container: of the pod's spec.
        home: value of HOME.
        address: the pod's IP address.
        cdi: variables of container edits; they win over the manifest's, later ones over earlier.
        service: variables of the Service of the API server; the manifest's win over them.

    Raises:
        InvalidContainer: a value comes from a source that is not read here.
    """
    values = {"PATH": PATH, "HOME": home, "HOSTNAME": pod.name, **service}
    for entry in container.get("env") or []:
        name = str(entry["name"])
        if entry.get("valueFrom"):
            values[name] = _from_source(pod, address, name, entry["valueFrom"])
        else:
            values[name] = expand(str(entry.get("value") or ""), values)
    if container.get("envFrom"):
        raise InvalidContainer(
            "envFrom: the embedded kubelet reads no ConfigMaps and Secrets; write values under env"
        )
    values.update(cdi)
    return values


def service_variables(host: str, port: int) -> dict[str, str]:
    """Return what every container is told of the Service `kubernetes`.

    Source: kubernetes pkg/kubelet/envvars.
    """
    url = f"tcp://{host}:{port}"
    stem = f"KUBERNETES_PORT_{port}_TCP"
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
        "KUBERNETES_PORT": url,
        stem: url,
        f"{stem}_PROTO": "tcp",
        f"{stem}_PORT": str(port),
        f"{stem}_ADDR": host,
    }


def command_line(
    container: JSON, env: Mapping[str, str], which: Callable[[str], str | None]
) -> list[str]:
    """Return what to execute.

    Args:
        container: of the pod's spec; `$(NAME)` in its command and args is replaced.
        env: the container's variables.
        which: finds an executable; a shell that it does not find becomes /bin/sh.
    """
    command = [expand(str(word), env) for word in container.get("command") or []]
    if not command:
        return list(IDLE_COMMAND)
    args = [expand(str(word), env) for word in container.get("args") or []]
    shell = PurePosixPath(command[0])
    if shell.name in _SHELLS and which(command[0]) is None:
        command[0] = _FALLBACK_SHELL
    return command + args


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; unknown names stay, `$$` is a dollar sign."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return values.get(match[2], match[0])

    return _REFERENCE.sub(replace, text)


def _from_source(pod: Pod, address: str, name: str, source: JSON) -> str:
    path = (source.get("fieldRef") or {}).get("fieldPath")
    known = _fields(pod, address)
    if path in known:
        return known[str(path)]
    raise InvalidContainer(
        f"env {name}: only a fieldRef of {', '.join(sorted(known))} can be resolved here"
    )


def _fields(pod: Pod, address: str) -> Mapping[str, str]:
    spec = pod.raw.get("spec") or {}
    return {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": node_of(pod),
        "spec.serviceAccountName": str(spec.get("serviceAccountName") or "default"),
        "status.podIP": address,
    }
