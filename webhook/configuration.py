"""The ValidatingWebhookConfiguration: which writes wait for the webhook, and whom servers trust.

The same object does in all versions. Kubernetes 1.27 leaves out matchConditions, which are off
there; it has claims in v1alpha2 only, which no rule names, so that only the parameter objects are
sent. Claims and templates are looked at when they are created and not later: their spec never
changes, and a claim of former times has to lose its finalizer.
Source: k8s.io/api/admissionregistration/v1 types.go.
"""

import base64
import copy
from collections.abc import Sequence
from typing import Any, Final

from api.names import CRD_VERSION, PARAMETERS_GROUP, RESOURCE_GROUP
from api.objects import JSON
from api.resources import VALIDATING_WEBHOOKS
from webhook.configs import CONFIG
from webhook.review import VERSIONS
from webhook.validators import PARAMETERS

PATH: Final = "/validate-resource-claim-parameters"
TIMEOUT_SECONDS: Final = 5
FAILURE_POLICIES: Final = ("Fail", "Ignore")

_ONCE: Final = ("CREATE",)
_ALWAYS: Final = ("CREATE", "UPDATE")
_OPERATIONS: Final = {
    "resourceclaims": _ONCE,
    "resourceclaimtemplates": _ONCE,
    "deviceclasses": _ALWAYS,
}


def configuration(
    name: str,
    service: str,
    namespace: str,
    drivers: Sequence[str],
    *,
    authorities: str = "",
    failure_policy: str = "Fail",
) -> JSON:
    """Return the object.

    Args:
        name: of it.
        service: that leads to the webhook.
        namespace: of the service.
        drivers: whose parameters are validated; claims without any do not wait.
        authorities: PEM of whom to trust; the program adds its own.
        failure_policy: `Fail`, or `Ignore` to let everything pass while no webhook answers.
    """
    webhooks = [
        {
            "name": f"{resource}.{PARAMETERS_GROUP}",
            "clientConfig": {"service": {"name": service, "namespace": namespace, "path": PATH}},
            "rules": [rule],
            "matchConditions": conditions,
            "failurePolicy": failure_policy,
            "sideEffects": "None",
            "timeoutSeconds": TIMEOUT_SECONDS,
            "admissionReviewVersions": ["v1"],
        }
        for resource, rule, conditions in _rules(drivers)
    ]
    made = {
        "apiVersion": VALIDATING_WEBHOOKS.api_version,
        "kind": VALIDATING_WEBHOOKS.kind,
        "metadata": {"name": name},
        "webhooks": webhooks,
    }
    return trusting(made, authorities) if authorities else made


def trusting(config: JSON, authorities: str) -> JSON:
    """Return a configuration with these authorities, as PEM, in each of its webhooks."""
    encoded = base64.b64encode(authorities.encode()).decode()
    changed = copy.deepcopy(config)
    for webhook in changed.get("webhooks") or []:
        webhook["clientConfig"]["caBundle"] = encoded
    return changed


def trusted(config: JSON) -> str:
    """Return the authorities that every webhook of a configuration trusts, as PEM."""
    bundles = {w["clientConfig"].get("caBundle") or "" for w in config.get("webhooks") or []}
    if len(bundles) != 1:
        return ""
    try:
        return base64.b64decode(bundles.pop()).decode()
    except ValueError:
        return ""


def for_drivers(resource: str, drivers: Sequence[str]) -> str:
    """Return the CEL expression that is true for objects with parameters for one of the drivers."""
    names = CONFIG[resource].split(".")
    paths = [".".join(["object", *names[:end]]) for end in range(1, len(names) + 1)]
    present = " && ".join(f"has({path})" for path in paths)
    wanted = ", ".join(f"'{driver}'" for driver in drivers)
    ours = f"has(c.opaque) && c.opaque.driver in [{wanted}]"
    return f"{present} && {paths[-1]}.exists(c, {ours})"


def _rules(drivers: Sequence[str]) -> list[tuple[str, JSON, list[JSON]]]:
    found: list[tuple[str, JSON, list[JSON]]] = []
    for resource, operations in _OPERATIONS.items():
        rule = _rule(RESOURCE_GROUP, VERSIONS, resource, operations)
        condition = {"name": "own-drivers", "expression": for_drivers(resource, drivers)}
        found.append((resource, rule, [condition]))
    for resource in PARAMETERS:
        rule = _rule(PARAMETERS_GROUP, (CRD_VERSION,), resource, _ALWAYS)
        found.append((resource, rule, []))
    return found


def _rule(
    group: str, versions: Sequence[str], resource: str, operations: Sequence[str]
) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": list(versions),
        "resources": [resource],
        "operations": list(operations),
        "scope": "*",
    }
