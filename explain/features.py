"""Which feature gates the scheduler is taken to have, and who says so."""

import re
from collections.abc import Mapping
from typing import Final

from allocation.gates import Gates
from api.features import GATES, on_by_default
from explain.seen import Features

_ORDERED: Final = 36
_SAMPLE: Final = re.compile(
    r'^kubernetes_feature_enabled\{(?=[^}]*name="(\w+)")[^}]*\} (\d)', re.MULTILINE
)


def parse_flag(text: str) -> Mapping[str, bool]:
    """Read `Name=true,Other=false`, as `--feature-gates` of Kubernetes has it.

    Raises:
        ValueError: naming the part that is no gate with its value.
    """
    found = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if value.strip().lower() not in ("true", "false"):
            raise ValueError(f"{part!r} is not NAME=true or NAME=false")
        found[name.strip()] = value.strip().lower() == "true"
    return found


def parse_metric(text: str) -> Mapping[str, bool]:
    """Read kubernetes_feature_enabled of the metrics of an API server."""
    return {name: value == "1" for name, value in _SAMPLE.findall(text)}


def features(minor: int, flag: Mapping[str, bool], metric: Mapping[str, bool]) -> Features:
    """Return the gates of a scheduler.

    Args:
        minor: of Kubernetes 1.x.
        flag: what the caller says; it wins.
        metric: what the API server says of itself; empty if that could not be read.
    """
    on = on_by_default(minor)
    named = {**{gate: gate in on for gate in (*GATES, *Gates().named)}, **metric, **flag}
    source = f"defaults of Kubernetes 1.{minor}, since the API server's metrics can't be read"
    if metric:
        source = "kubernetes_feature_enabled of the API server"
    if flag:
        source = f"--feature-gates, else {source}"
    if minor < _ORDERED:
        source += f"; the rules are those of 1.{_ORDERED} and later"
    return Features(Gates.of(named), source, frozenset(gate for gate in named if named[gate]))
