"""What a scheduler makes of the ResourceSlices of a pool, whichever of them it looks at first."""

from collections.abc import Iterable, Sequence

from api.objects import JSON


def newest(stored: Iterable[JSON]) -> list[JSON]:
    """Return the slices of the newest generation."""
    slices = [*stored]
    generations = [int(each["spec"]["pool"]["generation"]) for each in slices]
    last = max(generations, default=0)
    return [each for each, found in zip(slices, generations, strict=True) if found == last]


def device_names(slices: Iterable[JSON]) -> list[str]:
    """Return the names of devices, in the order of slices by name."""
    ordered = sorted(slices, key=lambda each: each["metadata"]["name"])
    return [x["name"] for each in ordered for x in each["spec"].get("devices") or []]


def called_complete(slices: Sequence[JSON]) -> bool:
    """Tell whether some reader calls slices of one generation complete."""
    return any(each["spec"]["pool"]["resourceSliceCount"] == len(slices) for each in slices)
