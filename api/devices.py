"""A device as containers see it: what CDI files, checkpoints and published objects have of it."""

from dataclasses import dataclass

from api.objects import DeviceID


@dataclass(frozen=True, slots=True)
class PreparedDevice:
    """A device, or child of `parent`, that containers of the node may see."""

    id: DeviceID
    parent: DeviceID | None = None
