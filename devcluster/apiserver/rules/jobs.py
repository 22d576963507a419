"""Rules of Jobs; the server makes their selectors.

Source: kubernetes pkg/apis/batch/v1/defaults.go, pkg/apis/batch/validation/validation.go,
pkg/registry/batch/job/strategy.go v1.30.
"""

from collections.abc import Iterator
from typing import Final

from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.rules import podtemplates
from devcluster.apiserver.strategy import Strategy

_UID: Final = "batch.kubernetes.io/controller-uid"
_POLICIES: Final = ("Never", "OnFailure")
_DEFAULTS: Final = {
    "backoffLimit": 6,
    "completionMode": "NonIndexed",
    "podReplacementPolicy": "TerminatingOrFailed",
    "suspend": False,
}
_NUMBERS: Final = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
)
_FROZEN: Final = ("completions", "template", "completionMode")
_MISSING: Final = ("backoffLimitPerIndex", "maxFailedIndexes", "podFailurePolicy", "successPolicy")


def _default(job: JSON) -> None:
    spec = job.setdefault("spec", {})
    podtemplates.default_template(spec)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.update({**_DEFAULTS, **spec})
    if labels := podtemplates.template_labels(spec):
        job["metadata"].setdefault("labels", dict(labels))


def _prepare(job: JSON) -> None:
    job["status"] = {}
    spec, meta = job["spec"], job["metadata"]
    if spec.get("manualSelector"):
        return
    mine = {"controller-uid": meta["uid"], "job-name": meta["name"]}
    mine |= {f"batch.kubernetes.io/{name}": value for name, value in mine.items()}
    template = spec["template"].setdefault("metadata", {})
    template["labels"] = {**(template.get("labels") or {}), **mine}
    spec.setdefault("selector", {"matchLabels": {_UID: meta["uid"]}})


def _errors(job: JSON) -> Iterator[FieldError]:
    spec = job["spec"]
    yield from podtemplates.negative_errors(spec, _NUMBERS)
    if spec.get("selector") is None:
        yield fielderrors.required("spec.selector")
    yield from podtemplates.template_errors(spec)
    if spec["template"]["spec"]["restartPolicy"] not in _POLICIES:
        text = 'valid values: "OnFailure", "Never"'
        yield fielderrors.required("spec.template.spec.restartPolicy", text)
    yield from _unoffered(spec)


def _unoffered(spec: JSON) -> Iterator[FieldError]:
    """Refuse what the job controller of the embedded cluster would not do."""
    for field in _MISSING:
        if field in spec:
            yield fielderrors.not_allowed(f"spec.{field}", "not offered by the embedded cluster")
    for field, value in (("completionMode", "NonIndexed"), ("managedBy", None)):
        if spec.get(field) != value:
            text = f"{spec[field]} is not offered by the embedded cluster"
            yield fielderrors.not_allowed(f"spec.{field}", text)


def _change_errors(new: JSON, old: JSON) -> Iterator[FieldError]:
    yield from _errors(new)
    yield from podtemplates.changed_selector_errors(new, old)
    for field in _FROZEN:
        if new["spec"].get(field) != old["spec"].get(field):
            yield fielderrors.immutable(f"spec.{field}", new["spec"].get(field))


JOBS: Final = Strategy(
    default=_default,
    prepare_create=_prepare,
    check_create=lambda job: list(_errors(job)),
    check_update=lambda new, old: list(_change_errors(new, old)),
)
