"""Rules that the kinds with a template for pods have in common: the template and its selector.

Source: kubernetes pkg/apis/apps/validation/validation.go, pkg/apis/core/validation
(ValidatePodTemplateSpec); printed values are those of Go.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from api.objects import JSON
from api.selectors import selects_labels
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.rules.pods import default_template_spec
from devcluster.apiserver.rules.podspec import spec_errors
from devcluster.apiserver.schemacheck import shown

_TEMPLATE: Final = "spec.template"


def default_template(spec: JSON) -> None:
    """Fill in what the client left out of the template in the spec of a workload."""
    default_template_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def template_labels(spec: JSON) -> Mapping[str, str]:
    """Return the labels that pods of a workload get."""
    return (spec["template"].get("metadata") or {}).get("labels") or {}


def template_errors(spec: JSON) -> Iterator[FieldError]:
    """Return what is wrong with the template in the spec of a workload."""
    if not selects_labels(spec.get("selector"), template_labels(spec)):
        labels = f"Invalid value: {_strings(template_labels(spec))}: "
        text = labels + "`selector` does not match template `labels`"
        yield FieldError(f"{_TEMPLATE}.metadata.labels", text)
    yield from spec_errors(spec["template"]["spec"], f"{_TEMPLATE}.spec")


def always_running_errors(spec: JSON, kind: str) -> Iterator[FieldError]:
    """Return what keeps the pods of a workload that runs for ever from doing that."""
    pod = spec["template"]["spec"]
    if pod["restartPolicy"] != "Always":
        path = f"{_TEMPLATE}.spec.restartPolicy"
        yield fielderrors.unsupported(path, pod["restartPolicy"], ["Always"])
    if "activeDeadlineSeconds" in pod:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        yield fielderrors.not_allowed(f"{_TEMPLATE}.spec.activeDeadlineSeconds", text)


def selector_errors(spec: JSON, kind: str) -> Iterator[FieldError]:
    """Return what is wrong with a selector apart from the template: an empty one takes all."""
    if not any((spec.get("selector") or {}).values()):
        text = f"empty selector is invalid for {kind}"
        yield _bad_selector(spec.get("selector") or {}, text)


def changed_selector_errors(new: JSON, old: JSON) -> Iterator[FieldError]:
    """Return the error of a selector that an update changes."""
    if new["spec"].get("selector") != old["spec"].get("selector"):
        yield _bad_selector(new["spec"].get("selector") or {}, "field is immutable")


def negative_errors(spec: JSON, fields: Sequence[str]) -> Iterator[FieldError]:
    """Return the errors of numbers in the spec of a workload that are below zero."""
    for field in fields:
        if (spec.get(field) or 0) < 0:
            text = "must be greater than or equal to 0"
            yield fielderrors.bad_value(f"spec.{field}", spec[field], text)


def _bad_selector(selector: JSON, why: str) -> FieldError:
    labels = selector.get("matchLabels")
    terms = [_term(each) for each in selector.get("matchExpressions") or []]
    labels_text = "map[string]string(nil)" if labels is None else _strings(labels)
    terms_text = f"{{{', '.join(terms)}}}" if terms else "(nil)"
    value = f"v1.LabelSelector{{MatchLabels:{labels_text}, "
    value += f"MatchExpressions:[]v1.LabelSelectorRequirement{terms_text}}}"
    return FieldError("spec.selector", f"Invalid value: {value}: {why}")


def _term(term: JSON) -> str:
    values = ", ".join(shown(each) for each in term.get("values") or [])
    text = f"Key:{shown(term['key'])}, Operator:{shown(term['operator'])}, "
    values_text = f"[]string{{{values}}}" if values else "[]string(nil)"
    return f"v1.LabelSelectorRequirement{{{text}Values:{values_text}}}"


def _strings(labels: Mapping[str, str]) -> str:
    pairs = (f"{shown(name)}:{shown(labels[name])}" for name in sorted(labels))
    return f"map[string]string{{{', '.join(pairs)}}}"
