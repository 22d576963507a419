"""Rules of Deployments and ReplicaSets.

Source: kubernetes pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation/validation.go,
pkg/registry/apps v1.30.
"""

import re
from collections.abc import Iterator
from typing import Final

from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.rules import podtemplates
from devcluster.apiserver.strategy import Strategy

_RECREATE: Final = "Recreate"
_ROLLING: Final = "RollingUpdate"
_STEPS: Final = ("maxUnavailable", "maxSurge")
_DEPLOYMENT: Final = {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}
_NUMBERS: Final = (*_DEPLOYMENT, "minReadySeconds")
_PERCENT: Final = re.compile(r"[0-9]+%")


def _default_deployment(deployment: JSON) -> None:
    spec = deployment.setdefault("spec", {})
    podtemplates.default_template(spec)
    spec.update({**_DEPLOYMENT, **spec})
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", _ROLLING) == _ROLLING:
        rolling = strategy.get("rollingUpdate") or {}
        strategy["rollingUpdate"] = {**dict.fromkeys(_STEPS, "25%"), **rolling}


def _default_replica_set(replica_set: JSON) -> None:
    spec = replica_set.setdefault("spec", {})
    podtemplates.default_template(spec)
    spec.setdefault("replicas", 1)


def _deployment_errors(deployment: JSON) -> Iterator[FieldError]:
    spec = deployment["spec"]
    yield from podtemplates.negative_errors(spec, _NUMBERS)
    yield from podtemplates.selector_errors(spec, "deployment")
    yield from podtemplates.template_errors(spec)
    yield from podtemplates.always_running_errors(spec, "ReplicaSet")
    yield from _strategy_errors(spec["strategy"])
    deadline = spec["progressDeadlineSeconds"]
    if deadline <= spec.get("minReadySeconds", 0):
        text = "must be greater than minReadySeconds"
        yield fielderrors.bad_value("spec.progressDeadlineSeconds", deadline, text)


def _strategy_errors(strategy: JSON) -> Iterator[FieldError]:
    path, rolling = "spec.strategy.rollingUpdate", strategy.get("rollingUpdate")
    if strategy["type"] not in (_RECREATE, _ROLLING):
        known = (_RECREATE, _ROLLING)
        yield fielderrors.unsupported("spec.strategy.type", strategy["type"], known)
    elif strategy["type"] == _RECREATE and rolling is not None:
        text = f"may not be specified when strategy `type` is '{_RECREATE}'"
        yield fielderrors.not_allowed(path, text)
    elif rolling is not None:
        wrong = [
            error for name in _STEPS for error in _step_errors(f"{path}.{name}", rolling[name])
        ]
        yield from wrong
        if not wrong and all(rolling[name] in (0, "0%") for name in _STEPS):
            text = "may not be 0 when `maxSurge` is 0"
            yield fielderrors.bad_value(f"{path}.maxUnavailable", rolling["maxUnavailable"], text)


def _step_errors(path: str, value: int | str) -> Iterator[FieldError]:
    if isinstance(value, str) and not _PERCENT.fullmatch(value):
        text = "a valid percent string must be a numeric string followed by an ending '%'"
        yield fielderrors.bad_value(path, value, text)
    elif isinstance(value, int) and value < 0:
        yield fielderrors.bad_value(path, value, "must be greater than or equal to 0")
    elif path.endswith("maxUnavailable") and isinstance(value, str) and int(value[:-1]) > 100:
        yield fielderrors.bad_value(path, value, "must not be greater than 100%")


def _replica_set_errors(replica_set: JSON) -> Iterator[FieldError]:
    spec = replica_set["spec"]
    yield from podtemplates.negative_errors(spec, ("replicas", "minReadySeconds"))
    yield from podtemplates.selector_errors(spec, "replica set")
    yield from podtemplates.template_errors(spec)
    yield from podtemplates.always_running_errors(spec, "ReplicaSet")


DEPLOYMENTS: Final = Strategy(
    default=_default_deployment,
    prepare_create=lambda deployment: deployment.update(status={}),
    check_create=lambda deployment: list(_deployment_errors(deployment)),
    check_update=lambda new, old: [
        *_deployment_errors(new),
        *podtemplates.changed_selector_errors(new, old),
    ],
)
REPLICA_SETS: Final = Strategy(
    default=_default_replica_set,
    prepare_create=lambda replica_set: replica_set.update(status={"replicas": 0}),
    check_create=lambda replica_set: list(_replica_set_errors(replica_set)),
    check_update=lambda new, old: [
        *_replica_set_errors(new),
        *podtemplates.changed_selector_errors(new, old),
    ],
)
