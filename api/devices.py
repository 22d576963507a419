"""A device as containers see it: what CDI files, checkpoints and published objects have of it."""

from dataclasses import dataclass

from api.objects import DeviceID


@dataclass(frozen=True, slots=True)
class Share:
    """A claim's place among those that use a time-sliced device at the same time.

    Attributes:
        client: number of the claim among them, from 0; no two have the same.
        max_clients: most claims that may use the device at once, as this one was promised.
    """

    client: int
    max_clients: int


@dataclass(frozen=True, slots=True)
class PreparedDevice:
    """A device, or child of `parent`, that containers of the node may see.

    Attributes:
        share: of the device, None for all of it.
    """

    id: DeviceID
    parent: DeviceID | None = None
    share: Share | None = None
