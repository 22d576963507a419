"""Which pods are accepted: the part of pod validation that the embedded cluster relies on.

Source: kubernetes pkg/apis/core/validation/validation.go (ValidatePodSpec,
validateContainers, validatePodResourceClaims).
"""

from collections.abc import Iterator
from typing import Final

from api import validation
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError

_RESTART: Final = ("Always", "Never", "OnFailure")
_SOURCES: Final = ("resourceClaimName", "resourceClaimTemplateName")


def spec_errors(spec: JSON, path: str = "spec") -> Iterator[FieldError]:
    """Return what is wrong with the spec of a new pod, or of a template for pods at a path."""
    if not spec.get("containers"):
        yield fielderrors.required(f"{path}.containers")
    if spec.get("restartPolicy") not in _RESTART:
        yield fielderrors.unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), _RESTART)
    claims = spec.get("resourceClaims") or []
    yield from _unique_names(f"{path}.resourceClaims", claims)
    for index, claim in enumerate(claims):
        here = f"{path}.resourceClaims[{index}]"
        if any(field in claim for field in _SOURCES):  # from 1.31 on
            yield from _source_errors(here, claim)
        else:
            yield from _source_errors(f"{here}.source", claim.get("source") or {})
    known = {claim.get("name") for claim in claims}
    both = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    for part in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(part) or []):
            yield from _container_errors(f"{path}.{part}[{index}]", container, known)
    yield from _repeated(f"{path}.containers", both)


def _container_errors(path: str, container: JSON, known: set[str | None]) -> Iterator[FieldError]:
    yield from _name_errors(f"{path}.name", container.get("name"))
    if not str(container.get("image") or "").strip():
        yield fielderrors.required(f"{path}.image")
    seen: set[str] = set()
    for index, claim in enumerate((container.get("resources") or {}).get("claims") or []):
        name, where = claim.get("name"), f"{path}.resources.claims[{index}]"
        request = claim.get("request") or ""
        use = f"{name}/{request}" if request else name
        if not name:
            yield fielderrors.required(f"{where}.name")
        elif {name, use} & seen:
            yield fielderrors.duplicate(where, name if name in seen else use)
        elif name not in known:
            yield fielderrors.unknown_reference(where, name)
        if request and (wrong := validation.label(request)):
            yield fielderrors.bad_value(f"{where}.request", request, wrong)
        seen.add(use)


def _source_errors(path: str, source: JSON) -> Iterator[FieldError]:
    given = [field for field in _SOURCES if source.get(field)]
    if len(given) > 1:
        text = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
        yield fielderrors.bad_value(path, source, text)
    elif not given:
        text = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
        yield fielderrors.bad_value(path, source, text)
    for field in given:
        if wrong := validation.subdomain(source[field]):
            yield fielderrors.bad_value(f"{path}.{field}", source[field], wrong)


def _unique_names(path: str, entries: list[JSON]) -> Iterator[FieldError]:
    for index, entry in enumerate(entries):
        yield from _name_errors(f"{path}[{index}].name", entry.get("name"))
    yield from _repeated(path, entries)


def _repeated(path: str, entries: list[JSON]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        name = entry.get("name")
        if name in seen:
            yield fielderrors.duplicate(f"{path}[{index}].name", name)
        if name:
            seen.add(name)


def _name_errors(path: str, name: str | None) -> Iterator[FieldError]:
    if not name:
        yield fielderrors.required(path)
    elif wrong := validation.label(name):
        yield fielderrors.bad_value(path, name, wrong)
