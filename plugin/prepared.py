"""What the node remembers of a prepared claim: the value that CDI, checkpoint and NAS agree on."""

from dataclasses import dataclass
from typing import TypeAlias

from api.nas import PreparedDevice
from api.objects import ClaimUID

Devices: TypeAlias = tuple[PreparedDevice, ...]


@dataclass(frozen=True, slots=True)
class PreparedClaim:
    """A claim with the devices that its containers get.

    Attributes:
        uid: of the ResourceClaim; everything on the node is keyed by it.
        namespace: of the ResourceClaim.
        name: of the ResourceClaim.
        label: what the pod calls the claim, else its name; part of the names of env variables.
        devices: in the order of the NAS, which is the order of the env variables.
    """

    uid: ClaimUID
    namespace: str
    name: str
    label: str
    devices: Devices

    def __str__(self) -> str:
        return f"ResourceClaim {self.namespace}/{self.name} (uid {self.uid})"
