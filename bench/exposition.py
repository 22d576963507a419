"""Reads how many requests of which kind kube-apiserver has answered, from its metrics.

Only resources that belong to the benchmark are counted, so that the server's own requests (leases,
its namespaces and services) are left out. What remains is of the benchmark, which knows its own
number, and of the program under test.
Source: kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/metrics, apiserver_request_total.
"""

import re
from collections import Counter
from collections.abc import Collection
from typing import Final

from api.resources import EVENTS

READS: Final = frozenset({"get", "list"})
WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
"""Watches are neither; they are opened once and cost no request afterwards."""

_SAMPLE: Final = re.compile(r"apiserver_request_total\{(?P<labels>[^}]*)\} (?P<value>\S+)")
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')
_VERBS: Final = {"post": "create", "put": "update", "apply": "patch"}

Requests = Counter[tuple[str, str, int]]
"""Number of requests by verb, resource and HTTP status."""


def parse(text: str, resources: Collection[str]) -> Requests:
    """Return the requests for some resources, subresources included.

    Args:
        text: of /metrics.
        resources: plurals.
    """
    found: Requests = Counter()
    for sample in _SAMPLE.finditer(text):
        labels = dict(_LABEL.findall(sample["labels"]))
        if labels.get("resource") in resources:
            verb = labels["verb"].lower()
            key = (_VERBS.get(verb, verb), labels["resource"], int(labels["code"] or 0))
            found[key] += int(float(sample["value"]))
    return found


def reads(requests: Requests) -> int:
    """Return the number of gets and lists."""
    return sum(count for (verb, _, _), count in requests.items() if verb in READS)


def writes(requests: Requests) -> int:
    """Return the number of requests that change something; not events, which nobody waits for."""
    return sum(
        count
        for (verb, resource, _), count in requests.items()
        if verb in WRITES and resource != EVENTS.plural
    )


def per_item(requests: Requests, items: int) -> dict[str, float]:
    """Return what is not watched as requests per item, by `verb resource status`."""
    made = READS | WRITES
    return {
        f"{verb} {resource} {code}": count / items
        for (verb, resource, code), count in sorted(requests.items())
        if count > 0 and verb in made
    }
