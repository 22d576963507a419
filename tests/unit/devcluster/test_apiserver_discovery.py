"""What clients are told about the kinds."""

import random
from dataclasses import dataclass, replace

import pytest

from api.resources import PODS
from devcluster.apiserver import discovery
from devcluster.apiserver.kinds import CORE_VERBS, STATUS, Kind, Subresource
from devcluster.apiserver.strategy import Strategy

VERBS = list(CORE_VERBS)
POD = Kind.of(
    PODS,
    strategy=Strategy(),
    schema={},
    columns=(),
    short_names=("po",),
    categories=("all",),
    subresources=(STATUS, Subresource("eviction", ("create",), "Eviction", "policy", "v1")),
)
NODE = replace(
    POD,
    plural="nodes",
    singular="node",
    kind="Node",
    namespaced=False,
    short_names=(),
    categories=(),
    subresources=(),
)
THING = replace(NODE, group="example.com", plural="things", singular="thing", kind="Thing")


@dataclass(frozen=True)
class Kinds:
    kinds: tuple[Kind, ...]

    def all(self) -> tuple[Kind, ...]:
        return self.kinds


REGISTRY = Kinds((POD, replace(THING, version="v1beta1"), NODE, THING))


def test_core_versions() -> None:
    assert discovery.api_versions(REGISTRY)["versions"] == ["v1"]


GROUP = {
    "name": "example.com",
    "versions": [
        {"groupVersion": "example.com/v1", "version": "v1"},
        {"groupVersion": "example.com/v1beta1", "version": "v1beta1"},
    ],
    "preferredVersion": {"groupVersion": "example.com/v1", "version": "v1"},
}


def test_groups() -> None:
    listed = discovery.api_group_list(REGISTRY)
    assert listed == {"kind": "APIGroupList", "apiVersion": "v1", "groups": [GROUP]}
    one = discovery.api_group(REGISTRY, "example.com")
    assert one == {"kind": "APIGroup", "apiVersion": "v1", **GROUP}


@pytest.mark.parametrize("group", ["", "other.com"])
def test_group_that_is_not_there(group: str) -> None:
    assert discovery.api_group(REGISTRY, group) is None


def test_versions_are_in_the_order_of_kubernetes() -> None:
    best_first = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2"]
    shuffled = random.Random(1).sample(best_first, len(best_first))
    assert sorted(shuffled, key=discovery.version_rank, reverse=True) == best_first
    others = Kinds(tuple(replace(THING, version=v) for v in ("foo1", "v1alpha1", "bar", "v1")))
    assert discovery.versions_of(others, "example.com") == ["v1", "v1alpha1", "bar", "foo1"]


def test_resources() -> None:
    listed = discovery.resource_list(REGISTRY, "", "v1")
    assert listed == {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "v1",
        "resources": [
            {
                "name": "pods",
                "singularName": "pod",
                "namespaced": True,
                "kind": "Pod",
                "verbs": VERBS,
                "shortNames": ["po"],
                "categories": ["all"],
            },
            {
                "name": "pods/status",
                "singularName": "",
                "namespaced": True,
                "kind": "Pod",
                "verbs": ["get", "patch", "update"],
            },
            {
                "name": "pods/eviction",
                "singularName": "",
                "namespaced": True,
                "group": "policy",
                "version": "v1",
                "kind": "Eviction",
                "verbs": ["create"],
            },
            {
                "name": "nodes",
                "singularName": "node",
                "namespaced": False,
                "kind": "Node",
                "verbs": VERBS,
            },
        ],
    }


def test_resources_of_a_named_group() -> None:
    listed = discovery.resource_list(REGISTRY, "example.com", "v1beta1")
    assert listed is not None
    assert listed["groupVersion"] == "example.com/v1beta1"
    assert [entry["name"] for entry in listed["resources"]] == ["things"]


@pytest.mark.parametrize(("group", "version"), [("", "v2"), ("example.com", "v2"), ("x.com", "v1")])
def test_version_that_is_not_there(group: str, version: str) -> None:
    assert discovery.resource_list(REGISTRY, group, version) is None


def test_aggregated_core() -> None:
    listed = discovery.aggregated(REGISTRY, core=True)
    assert (listed["apiVersion"], listed["kind"]) == (
        "apidiscovery.k8s.io/v2",
        "APIGroupDiscoveryList",
    )
    (group,) = listed["items"]
    assert group["metadata"]["name"] == ""
    (version,) = group["versions"]
    assert (version["version"], version["freshness"]) == ("v1", "Current")
    pods, nodes = version["resources"]
    assert pods == {
        "resource": "pods",
        "responseKind": {"group": "", "version": "v1", "kind": "Pod"},
        "scope": "Namespaced",
        "singularResource": "pod",
        "verbs": VERBS,
        "shortNames": ["po"],
        "categories": ["all"],
        "subresources": [
            {
                "subresource": "status",
                "responseKind": {"group": "", "version": "v1", "kind": "Pod"},
                "verbs": ["get", "patch", "update"],
            },
            {
                "subresource": "eviction",
                "responseKind": {"group": "policy", "version": "v1", "kind": "Eviction"},
                "verbs": ["create"],
            },
        ],
    }
    assert nodes["scope"] == "Cluster"


def test_aggregated_groups_have_the_preferred_version_first() -> None:
    (group,) = discovery.aggregated(REGISTRY, core=False)["items"]
    assert group["metadata"]["name"] == "example.com"
    assert [version["version"] for version in group["versions"]] == ["v1", "v1beta1"]


def test_version() -> None:
    told = discovery.version("v1.30.2")
    assert (told["major"], told["minor"], told["gitVersion"]) == ("1", "30", "v1.30.2")
