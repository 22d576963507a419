"""The class and the parameters that a claim of v1alpha2 refers to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from api.claims import Claim, ParametersReference, ResourceClass
from api.errors import ParametersNotFound, UnknownParametersKind
from api.names import CLAIM_PARAMETERS_KIND, CLASS_PARAMETERS_KIND, PARAMETERS_GROUP
from api.objects import JSON, Key, object_key
from api.parameters import (
    ClaimParameters,
    ClassParameters,
    parse_claim_parameters,
    parse_class_parameters,
)
from controller.errors import ResourceClassNotFound
from controller.outcome import Topic
from controller.versions.sources import ObjectSource

_Parameters = TypeVar("_Parameters", ClaimParameters, ClassParameters)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything that decides which devices a claim may get."""

    of_claim: ClaimParameters
    of_class: ClassParameters


class ParametersLookup:
    """Finds and validates what a claim refers to."""

    def __init__(
        self, classes: ObjectSource, claim_parameters: ObjectSource, class_parameters: ObjectSource
    ) -> None:
        """Look into these three sources."""
        self._classes = classes
        self._claim_parameters = claim_parameters
        self._class_parameters = class_parameters

    def resource_class(self, claim: Claim) -> ResourceClass:
        """Return the class of a claim.

        Raises:
            ResourceClassNotFound: it does not exist.
        """
        raw = self._classes.get(claim.class_name, None)
        if raw is None:
            raise ResourceClassNotFound(
                f"ResourceClass {claim.class_name} of claim {claim.key} not found; create the "
                "class, or recreate the claim with spec.resourceClassName of an existing one"
            )
        return ResourceClass(raw)

    def parameters(self, claim: Claim, resource_class: ResourceClass) -> Parameters:
        """Return the validated parameters of a claim and its class, defaults where there are none.

        Raises:
            UserError: a reference that cannot be followed, or an invalid object.
        """
        return Parameters(
            of_class=_follow(
                resource_class.parameters,
                f"ResourceClass {resource_class.name}",
                CLASS_PARAMETERS_KIND,
                self._class_parameters,
                parse_class_parameters,
                ClassParameters(),
            ),
            of_claim=_follow(
                claim.parameters,
                f"ResourceClaim {claim.key}",
                CLAIM_PARAMETERS_KIND,
                self._claim_parameters,
                parse_claim_parameters,
                ClaimParameters(),
            ),
        )


def topics(claim: Claim, resource_class: ResourceClass | None) -> frozenset[Topic]:
    """Return what may change when a claim cannot be served because of what it refers to."""
    found = {Topic("class", claim.class_name)}
    for ref in (claim.parameters, resource_class.parameters if resource_class else None):
        if ref is not None:
            found.add(parameters_topic(ref.kind, object_key(ref.namespace, ref.name)))
    return frozenset(found)


def parameters_topic(kind: str, key: Key) -> Topic:
    """Return the topic of one parameters object."""
    return Topic(kind, key)


def _follow(
    ref: ParametersReference | None,
    referrer: str,
    kind: str,
    source: ObjectSource,
    parse: Callable[[JSON], _Parameters],
    default: _Parameters,
) -> _Parameters:
    if ref is None:
        return default
    if (ref.api_group, ref.kind) != (PARAMETERS_GROUP, kind):
        raise UnknownParametersKind(
            f"{referrer} has parametersRef {ref}, which this driver cannot read; "
            f"refer to apiGroup {PARAMETERS_GROUP} and kind {kind}"
        )
    namespace = ref.namespace if kind == CLAIM_PARAMETERS_KIND else None
    obj = source.get(ref.name, namespace)
    if obj is None:
        where = (
            f" in namespace {namespace}, that of the claim: parameters in another namespace are "
            "not looked at"
            if namespace
            else ""
        )
        raise ParametersNotFound(
            f"{referrer} has parametersRef {ref}, which does not exist; create it{where}"
        )
    return parse(obj)
