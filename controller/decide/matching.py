"""Which devices go to which requests for whole ones: bipartite matching, pure."""

from collections.abc import Mapping, Sequence


def matched(counts: Sequence[int], eligible: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the devices of each request, in their order, with as many given as can be.

    Args:
        counts: of devices that each request wants.
        eligible: the devices that may serve each request, in order of preference.
    """
    if len(counts) == 1:
        # it competes with no other, so the first devices will do
        return [[*eligible[0][: counts[0]]]]
    owner: dict[int, int] = {}
    for number in sorted(range(len(counts)), key=lambda n: (len(eligible[n]), n)):
        for _ in range(counts[number]):
            if not _take(number, eligible, owner):
                break
    return [[each for each in sorted(owner) if owner[each] == n] for n in range(len(counts))]


def _take(number: int, eligible: Sequence[Sequence[int]], owner: dict[int, int]) -> bool:
    """Give request `number` one more device, moving other requests' devices where that helps.

    One augmenting path of bipartite matching: breadth first over devices that would have to change
    hands, so a solution is found whenever there is one.
    """
    cause: dict[int, tuple[int, int | None]] = {}
    frontier: list[tuple[int, int | None]] = [(number, None)]
    for request, lost in frontier:
        for device in eligible[request]:
            if device in cause:
                continue
            cause[device] = (request, lost)
            if device not in owner:
                _hand_over(device, cause, owner)
                return True
            if owner[device] != request:
                frontier.append((owner[device], device))
    return False


def _hand_over(
    free_device: int, cause: Mapping[int, tuple[int, int | None]], owner: dict[int, int]
) -> None:
    device: int | None = free_device
    while device is not None:
        request, lost = cause[device]
        owner[device] = request
        device = lost
