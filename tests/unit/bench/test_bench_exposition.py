from collections import Counter

import pytest

from bench.exposition import parse, per_item, reads, writes


def sample(code: str, resource: str, subresource: str, verb: str, value: int) -> str:
    labels = {
        "code": code,
        "component": "apiserver",
        "dry_run": "",
        "group": "resource.k8s.io",
        "resource": resource,
        "scope": "resource",
        "subresource": subresource,
        "verb": verb,
        "version": "v1alpha2",
    }
    told = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"apiserver_request_total{{{told}}} {value}\n"


TEXT = "".join(
    [
        "# HELP apiserver_request_total [STABLE] Counter of apiserver requests\n",
        "# TYPE apiserver_request_total counter\n",
        sample("201", "resourceclaims", "", "POST", 12),
        sample("200", "resourceclaims", "status", "PUT", 7),
        sample("200", "resourceclaims", "", "PUT", 3),
        sample("409", "resourceclaims", "", "PATCH", 1),
        sample("200", "pods", "", "LIST", 2),
        sample("0", "pods", "", "WATCH", 5),
        sample("200", "leases", "", "PUT", 99),
        sample("201", "events", "", "POST", 4),
        'apiserver_request_duration_seconds_count{resource="pods",verb="LIST"} 4\n',
    ]
)


@pytest.fixture
def requests():
    return parse(TEXT, {"resourceclaims", "pods", "events"})


def test_verbs_are_those_of_kubernetes_and_subresources_count_with_their_object(requests):
    assert requests == Counter(
        {
            ("create", "resourceclaims", 201): 12,
            ("update", "resourceclaims", 200): 10,
            ("patch", "resourceclaims", 409): 1,
            ("create", "events", 201): 4,
            ("list", "pods", 200): 2,
            ("watch", "pods", 0): 5,
        }
    )


def test_watches_and_events_are_neither_reads_nor_writes(requests):
    assert (reads(requests), writes(requests)) == (2, 23)


def test_per_item_leaves_out_watches_and_what_nobody_did(requests):
    requests["get", "pods", 200] = 0
    assert per_item(requests, 2) == {
        "create events 201": 2.0,
        "create resourceclaims 201": 6.0,
        "list pods 200": 1.0,
        "patch resourceclaims 409": 0.5,
        "update resourceclaims 200": 5.0,
    }
