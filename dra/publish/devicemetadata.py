"""What containers are told of their devices: content and places of the files; pure.

A file is for one request of a claim. It holds the same data once for each version of the format,
the newest first; readers take the first that they know.
Source: k8s.io/dynamic-resource-allocation 0.37 kubeletplugin/metadata.go, api/metadata.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.cdi import lowest_version
from api.claims.view import ClaimView, Result
from api.objects import JSON, ClaimUID
from dra.devicestate.cdirules import validate
from dra.driver import Metadata

CONTAINER_DIRECTORY: Final = Path("/var/run/kubernetes.io/dra-device-attributes")
HOST_DIRECTORY: Final = "dra-device-metadata"
"""Below the plugin's directory."""

HOST_FILE: Final = "metadata.json"

_GROUP: Final = "metadata.resource.k8s.io"
_VERSIONS: Final = ("v1beta1", "v1alpha1")


@dataclass(frozen=True, slots=True)
class Described:
    """What a file says.

    Attributes:
        uid: of the claim.
        namespace: of it.
        name: of it.
        pod_claim_name: what the pod calls a claim that was made of a template.
        request: of the claim, with the name of an alternative.
        devices: with their attributes.
        generation: counts the changes of the file.
    """

    uid: ClaimUID
    namespace: str
    name: str
    pod_claim_name: str | None
    request: str
    devices: tuple[JSON, ...]
    generation: int = 1

    @property
    def base(self) -> str:
        """The request without the name of an alternative."""
        return self.request.partition("/")[0]

    @property
    def host_file(self) -> Path:
        """Where the file is, below the plugin's directory."""
        return Path(HOST_DIRECTORY, f"{self.namespace}_{self.name}", self.base, HOST_FILE)

    def container_file(self, driver: str) -> Path:
        """Return where containers see it."""
        kind, name = "resourceclaims", self.name
        if self.pod_claim_name:
            kind, name = "resourceclaimtemplates", self.pod_claim_name
        return CONTAINER_DIRECTORY / kind / name / self.base / f"{driver}-metadata.json"

    def content(self) -> bytes:
        """Return the content of the file."""
        named = {"podClaimName": self.pod_claim_name} if self.pod_claim_name else {}
        said = {
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "uid": self.uid,
                "generation": self.generation,
            },
            **named,
            "requests": [{"name": self.request, "devices": list(self.devices)}],
        }
        each = (
            {"apiVersion": f"{_GROUP}/{version}", "kind": "DeviceMetadata", **said}
            for version in _VERSIONS
        )
        return b"".join(f"{json.dumps(version, indent=2)}\n".encode() for version in each)


def parse(content: bytes) -> Described | None:
    """Return what a file of ours says, None if it is none."""
    try:
        first, _ = json.JSONDecoder().raw_decode(content.decode())
        (request,) = first["requests"]
        meta = first["metadata"]
        found = Described(
            ClaimUID(meta["uid"]),
            meta["namespace"],
            meta["name"],
            first.get("podClaimName"),
            request["name"],
            tuple(request["devices"]),
            meta["generation"],
        )
        return found if found.content() == content else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def described(source: Metadata, driver: str, claim: ClaimView) -> Iterator[Described]:
    """Yield what is to be said of each request that a driver's devices serve."""
    entries = claim.allocation.entries if claim.allocation else ()
    names = [str(each["request"]) for each in entries if each.get("driver") == driver]
    served: dict[str, tuple[str, list[JSON]]] = {}
    for name, result in zip(names, claim.results(driver), strict=True):
        _, devices = served.setdefault(result.request, (name, []))
        devices.append(_device(source, driver, result))
    for name, devices in served.values():
        yield Described(
            claim.uid, claim.namespace, claim.name, claim.pod_claim_name, name, tuple(devices)
        )


def cdi_file(driver: str, uid: ClaimUID, request: str) -> str:
    """Return the name of the CDI file of a request; with `*` for a request a pattern."""
    return f"{driver}_metadata_{uid}_{request}.json"


def cdi_id(driver: str, uid: ClaimUID, request: str) -> str:
    """Return the qualified id of what containers of a request get."""
    return f"{_kind(driver)}={_device_name(uid, request)}"


def cdi_spec(driver: str, said: Described, directory: Path) -> JSON:
    """Return the spec that mounts a file into containers.

    Args:
        driver: its name.
        said: in the file.
        directory: of the plugin.

    Raises:
        InvalidCdiSpec: runtimes would refuse it, as they do names that begin with a digit.
    """
    mount = {
        "hostPath": str(directory / said.host_file),
        "containerPath": str(said.container_file(driver)),
        "options": ["ro", "bind"],
    }
    name = _device_name(said.uid, said.base)
    device = {"name": name, "containerEdits": {"mounts": [mount]}}
    spec: JSON = {"kind": _kind(driver), "devices": [device]}
    spec = {"cdiVersion": lowest_version(spec), **spec}
    validate(spec)
    return spec


def uid_of_file(driver: str, name: str) -> ClaimUID | None:
    """Return whose CDI file one of that name is, None for any other file.

    A request has no underscore in its name.
    """
    prefix, suffix = cdi_file(driver, ClaimUID("*"), "*").split("*_*")
    if not (name.startswith(prefix) and name.endswith(suffix)):
        return None
    uid, _, _request = name[len(prefix) : -len(suffix)].rpartition("_")
    return ClaimUID(uid) if uid else None


def _kind(driver: str) -> str:
    return f"{driver}/metadata"


def _device_name(uid: ClaimUID, request: str) -> str:
    return f"{uid}_{request}"


def _device(source: Metadata, driver: str, result: Result) -> JSON:
    attributes: Mapping[str, Any] = source.metadata(result)
    told = {"attributes": dict(attributes)} if attributes else {}
    return {"driver": driver, "pool": result.pool, "name": result.device, **told}
