"""What containers get of the fake driver: variables that name node, driver and devices.

A container may have several claims, whose devices come in no certain order, and the last one that
sets a variable wins. So a device is in three variables: by its index alone, by the claim's label,
and by the claim's uid, which no other claim can set. Called by the composition root, by the drivers
of both kinds and by the command fsck.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from api.contract import Contract
from api.devices import PreparedDevice as NamedDevice
from api.names import ENV_DRIVER_NAME, TIME_SLICED
from api.objects import JSON, ClaimUID, NodeName
from dra.devicestate import cdi
from dra.devicestate.checkpoint import Checkpoint
from dra.devicestate.directory import CdiDirectory
from dra.devicestate.prepared import share_of, unedited
from dra.driver import Edits, PreparedClaim, PreparedDevice

_FORMER_VERSION: Final = "0.5.0"


@dataclass(frozen=True, slots=True)
class Fakes:
    """The fake driver on a node.

    Attributes:
        contract: of the driver.
        node: name of the Node, and pool of its devices.
    """

    contract: Contract
    node: NodeName

    def directory(self, root: Path) -> CdiDirectory:
        """Return the CDI directory of the driver."""
        return CdiDirectory(root, self.contract, self.common(), self.former)

    def checkpoint(self, directory: Path) -> Checkpoint:
        """Return the checkpoint of the driver, which reads that of former releases too."""
        return Checkpoint(directory, self.contract, self.remake)

    def common(self) -> Edits:
        """Return what a container with any claim gets."""
        return Edits(
            {
                self.contract.env_node_name: self.node,
                ENV_DRIVER_NAME: self.contract.driver_name,
            }
        )

    def claim(
        self, uid: ClaimUID, namespace: str, name: str, label: str, devices: Sequence[NamedDevice]
    ) -> PreparedClaim:
        """Return a prepared claim, in which a child of a device stands under its own name."""
        made = tuple(unedited(device.id, device.parent, device.share) for device in devices)
        return self.remake(PreparedClaim(uid, namespace, name, label, made))

    def remake(self, claim: PreparedClaim, file: JSON | None = None) -> PreparedClaim:
        """Return a claim with the edits of its devices; its CDI file may know the label."""
        label = claim.label or find_label(self.contract, file) or claim.name
        named = replace(claim, label=label)
        devices = tuple(
            replace(device, pool=self.node, edits=self._edits(named, index, device))
            for index, device in enumerate(claim.devices)
        )
        return replace(named, devices=devices)

    def former(self, claim: PreparedClaim) -> tuple[JSON, ...]:
        """Return a claim's spec as former releases wrote it: one version, and fewer variables."""
        spec = cdi.claim_spec(self.contract, claim)
        if spec is None:
            return ()
        same = {**spec, "cdiVersion": _FORMER_VERSION}
        return same, {**same, "devices": [self._without_uid(each) for each in spec["devices"]]}

    def _edits(self, claim: PreparedClaim, index: int, device: PreparedDevice) -> Edits:
        name, more = device.name or device.device, _sharing(device)
        return Edits(dict(variables(self.contract, claim, index, name, more)))

    def _without_uid(self, device: JSON) -> JSON:
        new = self.contract.env_uid_prefix
        env = [each for each in device["containerEdits"]["env"] if not each.startswith(new)]
        return {**device, "containerEdits": {"env": env}}


def env_label(label: str) -> str:
    """Return a claim's label or uid as part of an env variable's name."""
    return re.sub(r"[^A-Za-z0-9]", "_", label).upper()


def find_label(contract: Contract, spec: JSON | None) -> str:
    """Return the label that a claim's spec was made with, empty if it shows none."""
    labelled = re.compile(rf"{re.escape(contract.env_claim_prefix)}(.+)_0=.*")
    found = (labelled.fullmatch(entry) for entry in _entries(spec))
    return next((match[1] for match in found if match), "")


def find_node(contract: Contract, spec: JSON | None) -> str:
    """Return the node that a common spec was made for, empty if it shows none."""
    found = (entry.partition("=") for entry in _entries(spec))
    return next((value for name, _, value in found if name == contract.env_node_name), "")


def _sharing(device: PreparedDevice) -> Mapping[str, str]:
    """Return what a container is told of the other claims that may have its device."""
    share = share_of(device)
    return {} if share is None else {"SHARING": TIME_SLICED, "CLIENT": str(share.client)}


def _entries(spec: JSON | None) -> list[str]:
    """Return the variables that a file sets, none if it is not one of ours."""
    try:
        devices = (spec or {}).get("devices") or []
        return [str(entry) for device in devices for entry in device["containerEdits"]["env"]]
    except (KeyError, TypeError, AttributeError):
        return []


def variables(
    contract: Contract,
    claim: PreparedClaim,
    index: int,
    device: str,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[str, str]]:
    """Yield what a container gets of the device of an index within its claim.

    Args:
        contract: of the driver.
        claim: of which the names are known.
        index: of the device.
        device: its id.
        more: what else is told of it, by the ends of the variables' names.
    """
    own = f"{contract.env_uid_prefix}{env_label(claim.uid)}"
    yield f"{contract.env_device_prefix}{index}", device
    if claim.label:
        yield f"{contract.env_claim_prefix}{env_label(claim.label)}_{index}", device
    yield f"{own}_{index}", device
    for name, value in more.items():
        yield f"{contract.env_device_prefix}{index}_{name}", value
        yield f"{own}_{index}_{name}", value
    if claim.name:
        yield f"{own}_NAME", claim.name
