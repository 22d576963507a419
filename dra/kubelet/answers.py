"""What a kubelet is told of a claim, whichever service it calls."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from api.errors import DriverError
from api.objects import ClaimUID
from dra.kubelet.wire import text_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AnsweredDevice:
    """An allocated device, whole or split, and what containers get of it.

    Attributes:
        requests: of the claim that it serves, without names of alternatives, since kubelets compare
            them as text with what containers name; none means all.
        pool: of the allocation, else the node's name.
        device: name in the allocation.
        cdi_ids: qualified ids; health is shown for the first.
        share_id: of the allocation, if it is a share of a device.
    """

    requests: tuple[str, ...]
    pool: str
    device: str
    cdi_ids: tuple[str, ...]
    share_id: str | None = None


Answer: TypeAlias = tuple[AnsweredDevice, ...]
"""The devices of a prepared claim."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a claim of a batch failed; never empty, since kubelets take an empty text as success."""

    text: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """Return what kubelets get for an error; the text of a defect stays in the log."""
        if isinstance(error, DriverError):
            return cls(text_of(error) or type(error).__name__)
        return cls(f"{type(error).__name__} in the plugin, which is a defect; see its log")


Outcomes: TypeAlias = Mapping[ClaimUID, T | Failure]
"""By claim, what came of a call for several."""


def appended(devices: Answer, ids: Mapping[str, str]) -> Answer:
    """Return devices with a CDI id for each request, which the first one that serves it has."""
    left, found = dict(ids), []
    for device in devices:
        serves = device.requests or tuple(left)
        more = tuple(left.pop(request) for request in serves if request in left)
        found.append(replace(device, cdi_ids=(*device.cdi_ids, *more)))
    return tuple(found)


def flat(devices: Answer) -> tuple[str, ...]:
    """Return the CDI ids of all devices, each once, in order."""
    return tuple(dict.fromkeys(id_ for device in devices for id_ in device.cdi_ids))
