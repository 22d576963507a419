"""How a Deployment goes from one template to the next: sizes of its ReplicaSets. Pure.

Source: kubernetes pkg/controller/deployment/{rolling,recreate}.go,
pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts) v1.30, without the
proportional scaling of a Deployment that is resized during a rollout.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.objects import JSON

ROLLING: Final = "RollingUpdate"


@dataclass(frozen=True, slots=True)
class Size:
    """A ReplicaSet as far as a rollout looks at it.

    Attributes:
        wanted: number of pods in its spec.
        available: number of pods that are available.
    """

    name: str
    wanted: int
    available: int

    @classmethod
    def of(cls, replica_set: JSON) -> "Size":
        """Read an apps/v1 ReplicaSet."""
        available = (replica_set.get("status") or {}).get("availableReplicas", 0)
        return cls(replica_set["metadata"]["name"], replica_set["spec"]["replicas"], available)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many pods a Deployment wants, and how many more or less it may have meanwhile."""

    replicas: int
    surge: int = 0
    unavailable: int = 0

    @classmethod
    def of(cls, spec: JSON) -> "Limits":
        """Read the spec of a Deployment; one pod at least may be missing or too many."""
        replicas, rolling = spec["replicas"], spec["strategy"].get("rollingUpdate")
        if rolling is None:
            return cls(replicas, 0, replicas)
        surge = resolved(rolling["maxSurge"], replicas, up=True)
        unavailable = resolved(rolling["maxUnavailable"], replicas, up=False)
        return cls(replicas, surge, min(unavailable if surge or unavailable else 1, replicas))


def resolved(value: int | str, of: int, *, up: bool) -> int:
    """Return a number of pods that is given as such or in percent."""
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * of / 100
    return math.ceil(share) if up else math.floor(share)


def next_sizes(limits: Limits, new: Size, olds: Sequence[Size]) -> dict[str, int]:
    """Return the new sizes of the ReplicaSets that a rolling update resizes now.

    Args:
        limits: of the Deployment.
        new: the ReplicaSet of the current template.
        olds: the others, oldest first.
    """
    size = _size_of_new(limits, new, sum(old.wanted for old in olds))
    if size != new.wanted:
        return {new.name: size}
    return dict(_smaller_olds(limits, new, olds))


def _size_of_new(limits: Limits, new: Size, old_pods: int) -> int:
    room = limits.replicas + limits.surge - old_pods - new.wanted
    return min(limits.replicas, new.wanted + max(0, room))


def _smaller_olds(limits: Limits, new: Size, olds: Sequence[Size]) -> Iterator[tuple[str, int]]:
    """Yield names and sizes: pods that are not available go first, then those not needed."""
    least = limits.replicas - limits.unavailable
    total = sum(each.wanted for each in (*olds, new))
    most = total - least - max(0, new.wanted - new.available)
    if most <= 0:
        return
    sizes = {old.name: old.wanted for old in olds}
    _take(sizes, {old.name: max(0, old.wanted - old.available) for old in olds}, most)
    spare = sum(each.available for each in (*olds, new)) - least
    _take(sizes, dict(sizes), max(0, spare))
    yield from ((old.name, sizes[old.name]) for old in olds if sizes[old.name] != old.wanted)


def _take(sizes: dict[str, int], offers: Mapping[str, int], most: int) -> None:
    """Make ReplicaSets smaller by what they offer, in order, by no more than `most` together."""
    for name, offer in offers.items():
        less = min(offer, most)
        sizes[name] -= less
        most -= less
