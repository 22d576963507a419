"""Settings of how devices are divided, and how they are, where kube-scheduler allocates."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from ops.settings import F, option
from plugin.devices import MAX_DEVICES
from plugin.structured.inventory import SIZES, Division

SECTION: Final = "Devices (Kubernetes 1.32 and later)"

_SIZES: Final = ", ".join(map(str, SIZES))
_DEFAULT: Final = Division()


def splits(_context: click.Context, _param: click.Parameter, value: str) -> tuple[int, ...]:
    """Read numbers of children, such as `2,4`; nothing is none."""
    found = tuple(map(_size, _words(value)))
    _check_distinct(found)
    return found


def static_splits(
    _context: click.Context, _param: click.Parameter, value: str
) -> tuple[tuple[int, int], ...]:
    """Read numbers of children with numbers of devices, such as `2=4`; nothing is none."""
    found = tuple(map(_static, _words(value)))
    _check_distinct([size for size, _ in found])
    return found


_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    option(
        "--splits",
        "SPLITS",
        section=SECTION,
        metavar="SIZES",
        default=",".join(map(str, _DEFAULT.splits)),
        empty=True,
        callback=splits,
        help="Into how many children a device may be split, as many ways as are given; nothing "
        "offers whole devices only. Where the API server does not store counters, which is up to "
        "1.35 unless the feature gate DRAPartitionableDevices is on, see --static-splits.",
        remedy=f"give some of {_SIZES} with commas between them, or nothing",
    ),
    option(
        "--static-splits",
        "STATIC_SPLITS",
        section=SECTION,
        metavar="SIZE=DEVICES",
        default=",".join(f"{size}={number}" for size, number in _DEFAULT.static),
        empty=True,
        callback=static_splits,
        help="Where the API server does not store counters: how many devices, the last ones and at "
        "most half of all, are offered as that many children each, and not as whole devices. Sizes "
        "that --splits does not have are left out.",
        remedy=f"give sizes ({_SIZES}) with numbers of devices, such as 2=4 or 2=2,4=1, or nothing",
    ),
    option(
        "--shares",
        "SHARES",
        section=SECTION,
        type=bool,
        default=_DEFAULT.shared,
        help="Let claims have shares of a device's memory, 1Gi unless they ask for more. Devices "
        "that are shared are not split. Needs the feature gate DRAConsumableCapacity, which is on "
        "from 1.36; without it a claim has the whole device.",
        remedy="give true or false",
    ),
    option(
        "--health-file",
        "HEALTH_FILE",
        section=SECTION,
        metavar="PATH",
        type=click.Path(path_type=Path),
        show_default="none",
        help="Says how devices are, beside the annotations health.<driver name>/<device> of the "
        "Node: with lines <device>=<state>: <message>, of which a state is healthy, unhealthy or "
        "unknown. It need not be there.",
        remedy="give a path",
    ),
)


def device_options(command: F) -> F:
    """Add --splits, --static-splits, --shares and --health-file."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return command


def _words(value: str) -> Iterator[str]:
    return (word.strip() for word in value.split(",")) if value.strip() else iter(())


def _size(word: str) -> int:
    if word not in map(str, SIZES):
        raise click.BadParameter(f"{word!r} is none of {_SIZES}")
    return int(word)


def _static(word: str) -> tuple[int, int]:
    size, equals, number = (part.strip() for part in word.partition("="))
    counts = number.isascii() and number.isdigit() and len(number) <= len(str(MAX_DEVICES))
    if not (equals and counts and int(number) <= MAX_DEVICES):
        raise click.BadParameter(f"{word!r} has no number of devices from 0 to {MAX_DEVICES}")
    return _size(size), int(number)


def _check_distinct(sizes: Sequence[int]) -> None:
    twice = sorted({size for size in sizes if sizes.count(size) > 1})
    if twice:
        raise click.BadParameter(f"{twice[0]} is there more than once")
