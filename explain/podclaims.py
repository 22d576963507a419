"""What is wrong with the claims of a pod before anybody looks for devices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.claims.view import consumers
from api.objects import JSON, uid_of
from api.pods import Pod, PodClaim
from explain.diagnosis import Cause
from explain.requested import class_names
from explain.seen import Seen

_MOST_CONSUMERS: Final = 256

HELD_BACK: Final = frozenset(
    {
        Cause.TEMPLATE_MISSING,
        Cause.CLAIM_NOT_CREATED,
        Cause.CLAIM_MISSING,
        Cause.CLAIM_DELETED,
        Cause.CLAIM_OF_OTHERS,
    }
)
"""Causes for which kube-scheduler holds a pod back before it looks for a node (PreEnqueue).

It writes no condition then: what it said of the pod before, if anything, stays.
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a pod can't go on, whatever nodes have.

    Attributes:
        help: what would help.
    """

    cause: Cause
    summary: str
    help: str


def claims_of(pod: Pod, seen: Seen) -> tuple[list[JSON], list[Problem]]:
    """Return the claims of a pod that are there, in its order, and what is wrong with them.

    What holds the pod back comes first: until it is gone, nothing else is looked at.
    """
    by_name = {_key(each): each for each in seen.claims}
    found: list[JSON] = []
    problems: list[Problem] = []
    for entry in pod.claims:
        if entry.omitted:
            continue
        name = f"{pod.namespace}/{entry.claim_name}"
        claim = by_name.get(name) if entry.claim_name else None
        if claim is None:
            problems.append(_absent(pod, entry, seen))
            continue
        found.append(claim)
        problems += _unusable(pod, entry, claim, name)
        problems += _without_class(claim, name, seen.classes)
    return found, sorted(problems, key=lambda each: each.cause not in HELD_BACK)


def _key(claim: JSON) -> str:
    return f"{claim['metadata'].get('namespace')}/{claim['metadata']['name']}"


def _absent(pod: Pod, entry: PodClaim, seen: Seen) -> Problem:
    if not entry.from_template or entry.claim_name:
        return Problem(
            Cause.CLAIM_MISSING,
            f"claim {pod.namespace}/{entry.claim_name} does not exist",
            "create the claim"
            if not entry.from_template
            else "delete the pod, so that whoever owns it makes another with a claim of its own",
        )
    template = f"{pod.namespace}/{_template(pod, entry)}"
    if template not in seen.templates and not seen.lacks("resourceclaimtemplates"):
        return Problem(
            Cause.TEMPLATE_MISSING,
            f"template {template} does not exist, so there is no claim for {entry.name}",
            "create the template; the claim follows by itself",
        )
    return Problem(
        Cause.CLAIM_NOT_CREATED,
        f"no claim was made of template {template} for {entry.name} yet",
        "wait a moment; then look at kube-controller-manager, which makes claims",
    )


def _template(pod: Pod, entry: PodClaim) -> str:
    for each in pod.raw["spec"].get("resourceClaims") or ():
        if each["name"] == entry.name:
            return str((each.get("source") or each).get("resourceClaimTemplateName", ""))
    return ""


def _unusable(pod: Pod, entry: PodClaim, claim: JSON, name: str) -> Iterator[Problem]:
    if claim["metadata"].get("deletionTimestamp"):
        yield Problem(
            Cause.CLAIM_DELETED,
            f"claim {name} is being deleted",
            f"delete what still uses it: {', '.join(consumers(claim)) or 'nobody does'}",
        )
    references = claim["metadata"].get("ownerReferences") or ()
    owner: JSON = next((each for each in references if _is_owner(each)), {})
    if entry.from_template and owner.get("uid") != pod.uid:
        of = f"pod {owner['name']} of another uid" if owner else "no pod"
        yield Problem(
            Cause.CLAIM_OF_OTHERS,
            f"claim {name} belongs to {of}: it is left of a deleted pod",
            f"delete claim {name}",
        )
    reserved = (claim.get("status") or {}).get("reservedFor") or ()
    if len(reserved) >= _MOST_CONSUMERS and pod.uid not in {each.get("uid") for each in reserved}:
        yield Problem(
            Cause.CLAIM_FULL,
            f"claim {name} is reserved for {len(reserved)} consumers already, and may not be for "
            "more",
            "use another claim",
        )


def _is_owner(reference: JSON) -> bool:
    return bool(reference.get("kind") == "Pod" and reference.get("controller"))


def _without_class(claim: JSON, name: str, classes: Mapping[str, JSON]) -> Iterator[Problem]:
    """Yield a problem for each request whose class does not exist."""
    if (claim.get("status") or {}).get("allocation"):
        return
    for told, class_ in class_names(claim):
        if class_ not in classes:
            known = ", ".join(sorted(classes)) or "none"
            yield Problem(
                Cause.CLASS_MISSING,
                f"claim {name}{told}: class {class_} does not exist",
                f"create the class, or name one that exists: {known}",
            )


def allocated(claims: Sequence[JSON]) -> list[JSON]:
    """Return the claims that have devices."""
    return [each for each in claims if (each.get("status") or {}).get("allocation")]


def is_reserved(claim: JSON, pod: Pod) -> bool:
    """Tell whether a claim is reserved for a pod."""
    reserved = (claim.get("status") or {}).get("reservedFor") or ()
    return any(each.get("uid") == uid_of(pod.raw) for each in reserved)
