"""Rules of DeviceTaintRules.

Source: kubernetes pkg/apis/resource/validation/validation.go, validateDeviceTaintRuleSpec, and
pkg/registry/resource/devicetaintrule/strategy.go.
"""

from typing import Final

from api.objects import JSON
from devcluster.apiserver.clock import Clock, timestamp
from devcluster.apiserver.rules.claims import driver_name_errors
from devcluster.apiserver.rules.devicenames import label_errors, pool_name_errors
from devcluster.apiserver.rules.entries import Errors
from devcluster.apiserver.rules.publisheddevices import taint_errors
from devcluster.apiserver.strategy import Strategy

_CHECKS: Final = {
    "driver": driver_name_errors,
    "pool": pool_name_errors,
    "device": label_errors,
}


def rule_strategy(clock: Clock) -> Strategy:
    """Return the rules; the clock stamps taints."""

    def stamp(rule: JSON) -> None:
        rule["spec"]["taint"].setdefault("timeAdded", timestamp(clock()))

    return Strategy(
        default=stamp,
        check_create=lambda new: list(_spec_errors(new["spec"])),
        check_update=lambda new, _old: list(_spec_errors(new["spec"])),
    )


def _spec_errors(spec: JSON) -> Errors:
    selector = spec.get("deviceSelector") or {}
    for name, check in _CHECKS.items():
        if selector.get(name) is not None:
            yield from check(f"spec.deviceSelector.{name}", selector[name])
    yield from taint_errors("spec.taint", spec["taint"])
