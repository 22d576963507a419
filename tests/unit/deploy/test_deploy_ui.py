"""The page in the chart: off by default, reading only, and as the program takes its settings."""

from collections.abc import Callable
from typing import Any

import click
import pytest

from api.contract import FAKE
from api.objects import JSON
from api.resources import STATES
from testing.apiserver import READS, MemoryApi
from tests.support.build import claim, holding, nas, node, pod
from tests.support.helm import Helm
from tests.support.rbac import permissions
from tests.support.uirig import UiRig
from tests.support.waitingpods import CASES, Cluster
from tests.unit.deploy.test_deploy_rights import breaches
from ui.commands import ui as program
from ui.hosts import Hosts

Find = Callable[[list[JSON], str, str], JSON]

NAME = "fake-dra-driver-ui"


@pytest.fixture(scope="session")
def on(helm: Helm) -> list[JSON]:
    """An installation with the page."""
    return helm.template({"ui": {"enabled": True}})


def named(documents: list[JSON]) -> set[tuple[str, str]]:
    return {(d["kind"], d["metadata"]["name"]) for d in documents if NAME in d["metadata"]["name"]}


def pod_of(find: Find, documents: list[JSON]) -> Any:
    return find(documents, "Deployment", "-ui")["spec"]["template"]["spec"]


def settings(find: Find, documents: list[JSON], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the program read its settings as it would in the container."""
    (container,) = pod_of(find, documents)["containers"]
    for entry in container["env"]:
        monkeypatch.setenv(entry["name"], entry.get("value", "from-a-field"))
    return program.make_context("ui", list(container.get("args", []))).params


def test_it_is_off_by_default(rendered: list[JSON]) -> None:
    assert named(rendered) == set()


def test_its_objects(on: list[JSON]) -> None:
    kinds = ("ServiceAccount", "Deployment", "Service", "ClusterRole", "ClusterRoleBinding")
    assert named(on) == {(kind, NAME) for kind in kinds}
    assert not [d for d in on if d["kind"] == "Ingress"]


def test_environment_is_known_to_the_program(find: Find, on: list[JSON]) -> None:
    known = {
        param.envvar
        for param in program.params
        if isinstance(param, click.Option) and isinstance(param.envvar, str)
    }
    (container,) = pod_of(find, on)["containers"]
    given = [entry["name"] for entry in container["env"]]
    # which all pods of the chart have
    assert set(given) - known == {"POD_NAMESPACE"}
    assert len(given) == len(set(given))
    assert container["command"] == ["fake-dra", program.name]


def test_it_answers_for_its_service_and_for_port_forward(
    find: Find, on: list[JSON], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = settings(find, on, monkeypatch)
    assert (read["listen"], read["http_endpoint"], read["namespace"]) == (":8770", ":8080", "")
    hosts = Hosts.of("", read["allowed_hosts"])
    for name in ("localhost:8770", NAME, f"{NAME}.fake-system", f"{NAME}.fake-system.svc:80"):
        assert hosts.refusal(name, None) == ""
    assert hosts.refusal("evil.example.com", None)


def test_overridden_values_reach_the_program(
    helm: Helm, find: Find, overridden: JSON, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = helm.template(overridden)
    (container,) = pod_of(find, documents)["containers"]
    read = settings(find, documents, monkeypatch)
    assert (read["listen"], read["http_endpoint"]) == (":9770", ":9090")
    assert (read["verbosity"], read["namespace"]) == (6, "here")
    assert read["allowed_hosts"][-1] == "dra.example.com"
    assert read["contract"] == FAKE.renamed("other.example.com")
    assert container["resources"]["limits"] == {"cpu": 2, "memory": "1Gi"}


def test_service_leads_to_the_ports_of_the_pod(find: Find, on: list[JSON]) -> None:
    (container,) = pod_of(find, on)["containers"]
    served = {port["name"]: port["containerPort"] for port in container["ports"]}
    service = find(on, "Service", "-ui")["spec"]
    assert served == {"page": 8770, "http": 8080}
    assert {p["port"]: p["targetPort"] for p in service["ports"]} == {80: "page", 8080: "http"}
    assert service.get("type", "ClusterIP") == "ClusterIP"
    labels = find(on, "Deployment", "-ui")["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert [each["port"] for each in probes] == ["http"] * 3


def test_pod_meets_the_restricted_standard(find: Find, on: list[JSON]) -> None:
    assert breaches(pod_of(find, on)) == set()


def given(documents: list[JSON]) -> set[tuple[str, str]]:
    found = [each for each in permissions(documents) if each.component == "ui"]
    assert {each.verb for each in found} <= READS
    assert "/secrets" not in {each.resource for each in found}
    return {(each.verb, each.resource.partition("/")[2]) for each in found}


def asked(api: MemoryApi) -> set[tuple[str, str]]:
    return {(verb, plural) for verb, plural, _ in api.calls}


def test_rights_are_enough_for_the_page_and_for_explanations(on: list[JSON]) -> None:
    allowed = given(on)
    for name in ("inuse", "taint", "notemplate", "failingplugin", "extended"):
        cluster = Cluster()
        CASES[name].make(cluster)
        rig = UiRig(cluster)
        rig.look()
        rig.explaining.pod("default", "waiting")
        rig.explaining.class_("gpu")
        assert asked(cluster) <= allowed
    watched = {("watch", each.plural) for each in rig.caches.resources}
    assert watched <= allowed


def test_rights_are_enough_where_the_driver_allocates(on: list[JSON]) -> None:
    api = MemoryApi("v1alpha2")
    api.put(STATES, holding(nas("node-1"), "uid-claim", 0))
    rig = UiRig(api, "v1alpha2")
    resources = {each.plural: each for each in rig.caches.resources}
    api.put(resources["nodes"], node("node-1"))
    api.put(resources["resourceclaims"], claim())
    api.put(resources["pods"], pod("pod", ("c", "claim")))
    rig.look()
    assert rig.explaining.pod("default", "pod")["cause"] == "class-missing"
    watched = {("watch", plural) for plural in resources}
    assert asked(api) | watched <= given(on)
