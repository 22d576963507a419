"""The chart's objects agree with what the programs read and with what users know."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from api import __version__
from api.contract import FAKE
from api.names import NAS_GROUP, PARAMETERS_GROUP
from api.objects import JSON
from controller.__main__ import main as controller_program
from plugin.__main__ import main as plugin_program
from tests.support.helm import Helm
from tests.support.tables import cases

Find = Callable[[list[JSON], str, str], JSON]

PROGRAMS = {"controller": controller_program, "kubeletplugin": plugin_program}
WORKLOADS = {"controller": "Deployment", "kubeletplugin": "DaemonSet"}
SELECTOR = {"app.kubernetes.io/component": "controller"}
COMPONENTS = pytest.mark.parametrize("component", sorted(PROGRAMS))


def container_of(find: Find, documents: list[JSON], component: str) -> JSON:
    spec = find(documents, WORKLOADS[component], f"-{component}")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert isinstance(container, dict)
    return container


def settings(
    component: str, container: JSON, monkeypatch: pytest.MonkeyPatch, args: list[str] | None = None
) -> dict[str, Any]:
    """Let the program read its settings as it would in the container."""
    for entry in container["env"]:
        monkeypatch.setenv(entry["name"], entry.get("value", "from-a-field"))
    given = list(container.get("args", [])) if args is None else args
    return PROGRAMS[component].make_context("program", given).params


@COMPONENTS
def test_environment_is_known_to_the_program(
    find: Find, rendered: list[JSON], component: str
) -> None:
    known: set[str] = set()
    for param in PROGRAMS[component].params:
        names = param.envvar if isinstance(param, click.Option) else None
        known.update([names] if isinstance(names, str) else names or [])
    given = [e["name"] for e in container_of(find, rendered, component)["env"]]
    assert set(given) <= known
    assert len(given) == len(set(given))


COMMON = {
    "kubeconfig": "",
    "namespace": "from-a-field",
    "kube_api_qps": 50.0,
    "kube_api_burst": 100,
    "http_endpoint": ":8080",
    "metrics_path": "/metrics",
    "pprof_path": "",
    "logging_format": "json",
    "verbosity": 2,
    "normal_events": True,
    "kind": "auto",
    "contract": FAKE,
}


def test_controller_reads_the_values(
    find: Find, rendered: list[JSON], monkeypatch: pytest.MonkeyPatch
) -> None:
    container = container_of(find, rendered, "controller")
    assert settings("controller", container, monkeypatch) == COMMON | {
        "class_name": "fake.3-shake.com",
        "communication": "nas",
        "workers": 10,
        "unprepare_timeout": 60.0,
        "leader_election": True,
        "lease_duration": 15,
        "renew_deadline": 10.0,
        "retry_period": 5.0,
    }


def test_plugin_reads_the_values(
    find: Find, rendered: list[JSON], monkeypatch: pytest.MonkeyPatch
) -> None:
    container = container_of(find, rendered, "kubeletplugin")
    assert settings("kubeletplugin", container, monkeypatch) == COMMON | {
        "node_name": "from-a-field",
        "cdi_root": "/var/run/cdi",
        "communication": "nas",
        "num_devices": 8,
        "device_model": "LATEST-FAKE-MODEL",
        "heartbeat_period": 60.0,
        "splits": (2, 4, 8, 16),
        "static_splits": ((2, 4),),
        "shares": False,
        "health_file": None,
        "kubelet_registrar_directory_path": "/var/lib/kubelet/plugins_registry",
        "kubelet_plugins_directory_path": "/var/lib/kubelet/plugins",
    }


def test_overridden_values_reach_the_programs(
    helm: Helm, find: Find, overridden: JSON, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = helm.template(overridden)
    container = container_of(find, documents, "kubeletplugin")
    from_env = settings("kubeletplugin", container, monkeypatch, args=[])
    assert (from_env["num_devices"], from_env["device_model"]) == (3, "OTHER-MODEL")
    assert (from_env["kube_api_qps"], from_env["kube_api_burst"]) == (7.5, 11)
    assert (from_env["http_endpoint"], from_env["pprof_path"]) == (":9090", "/debug/pprof")
    assert (from_env["cdi_root"], from_env["communication"]) == ("/etc/cdi", "handle")
    assert (from_env["splits"], from_env["static_splits"]) == ((4,), ((4, 1),))
    assert (from_env["shares"], from_env["kind"]) == (True, "structured")
    assert from_env["health_file"] == Path("/data/kubelet/plugins/other.example.com/health")
    assert from_env["contract"] == FAKE.renamed("other.example.com")
    assert from_env["normal_events"] is False
    with_args = settings("kubeletplugin", container, monkeypatch)
    assert (with_args["num_devices"], with_args["verbosity"]) == (4, 6)
    container = container_of(find, documents, "controller")
    from_env = settings("controller", container, monkeypatch, args=[])
    assert (from_env["workers"], from_env["unprepare_timeout"]) == (4, 2.5)
    assert from_env["communication"] == "handle"
    assert (from_env["class_name"], from_env["kind"]) == ("other.example.com", "structured")
    assert (from_env["leader_election"], from_env["normal_events"]) == (False, False)
    assert (from_env["lease_duration"], from_env["renew_deadline"]) == (30, 20.5)
    assert settings("controller", container, monkeypatch)["workers"] == 5


def test_no_class_is_an_empty_name(helm: Helm, find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = helm.template({"resourceClass": {"create": False}})
    container = container_of(find, documents, "controller")
    assert settings("controller", container, monkeypatch)["class_name"] == ""


def test_commands_are_those_of_the_package(find: Find, rendered: list[JSON], root: Path) -> None:
    scripts = (root / "setup.cfg").read_text(encoding="utf-8")
    for component, program in PROGRAMS.items():
        (command,) = container_of(find, rendered, component)["command"]
        assert command == program.name
        assert f"{command} = " in scripts


@COMPONENTS
def test_probes_ask_the_port_that_is_served(
    find: Find, rendered: list[JSON], component: str
) -> None:
    container = container_of(find, rendered, component)
    (port,) = container["ports"]
    paths = {
        name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")
    }
    assert port == {"name": "http", "containerPort": 8080, "protocol": "TCP"}
    assert paths == {
        "startup": {"path": "/healthz", "port": "http"},
        "liveness": {"path": "/healthz", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
    }


def test_plugin_sees_its_directories_at_the_paths_of_the_host(
    helm: Helm, find: Find, overridden: JSON
) -> None:
    documents = helm.template(overridden)
    pod = find(documents, "DaemonSet", "-kubeletplugin")["spec"]["template"]["spec"]
    mounts = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
    hosts = {v["name"]: v["hostPath"]["path"] for v in pod["volumes"]}
    assert mounts == hosts
    assert sorted(hosts.values()) == [
        "/data/kubelet/plugins/other.example.com",
        "/data/kubelet/plugins_registry",
        "/etc/cdi",
    ]


def test_the_name_of_the_driver_is_one_value(helm: Helm) -> None:
    name = "renamed.example.com"
    documents = helm.template({"driverName": name})
    pods = [d["spec"]["template"]["spec"] for d in documents if "template" in d.get("spec", {})]
    given = [
        entry["value"]
        for pod in pods
        for container in pod["containers"]
        for entry in container["env"]
        if entry["name"] == "DRIVER_NAME"
    ]
    # controller, plugin and the two hooks of an uninstallation
    assert (len(pods), given) == (4, [name] * 4)
    text = yaml.safe_dump_all(documents)
    assert text.count(f"/var/lib/kubelet/plugins/{name}") == 2
    groups = {g for d in documents for rule in d.get("rules", []) for g in rule["apiGroups"]}
    assert {PARAMETERS_GROUP, NAS_GROUP} <= groups
    rest = text.replace(NAS_GROUP, "").replace(f"- {PARAMETERS_GROUP}", "")
    assert FAKE.driver_name not in rest


@pytest.mark.parametrize("override", [{}, {"selectorLabelsOverride": {"team": "batch"}}], ids=str)
def test_selectors_never_overlap(helm: Helm, override: JSON) -> None:
    workloads = [d for d in helm.template(override) if d["kind"] in WORKLOADS.values()]
    selectors = [d["spec"]["selector"]["matchLabels"] for d in workloads]
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in workloads]
    matches = [[s.items() <= given.items() for given in labels] for s in selectors]
    assert matches == [[True, False], [False, True]]


def test_services_select_one_component_each(rendered: list[JSON]) -> None:
    services = [d for d in rendered if d["kind"] == "Service"]
    components = [d["spec"]["selector"]["app.kubernetes.io/component"] for d in services]
    assert sorted(components) == sorted(PROGRAMS)
    assert all(d["spec"]["clusterIP"] == "None" for d in services)


@cases(
    ("image", "expected"),
    {
        "version of the chart": ({}, f"fake-dra-driver:{__version__}"),
        "tag": ({"tag": "2"}, "fake-dra-driver:2"),
        "digest wins": (
            {"tag": "2", "digest": f"sha256:{'a' * 64}"},
            f"fake-dra-driver@sha256:{'a' * 64}",
        ),
    },
)
def test_image(helm: Helm, find: Find, image: JSON, expected: str) -> None:
    documents = helm.template({"image": image})
    assert {container_of(find, documents, c)["image"] for c in PROGRAMS} == {expected}


@pytest.mark.parametrize(("replicas", "budget"), [(1, False), (2, True)])
def test_disruption_budget_comes_with_the_second_replica(
    helm: Helm, replicas: int, budget: bool
) -> None:
    documents = helm.template({"controller": {"replicas": replicas}})
    found = [d["spec"] for d in documents if d["kind"] == "PodDisruptionBudget"]
    assert [spec["maxUnavailable"] for spec in found] == ([1] if budget else [])
    assert all(SELECTOR.items() <= spec["selector"]["matchLabels"].items() for spec in found)


@cases(
    ("affinity", "kinds"),
    {
        "of the chart": ({}, {"nodeAffinity", "podAntiAffinity"}),
        "none": ({"nodeAffinity": None}, {"podAntiAffinity"}),
        "one more": ({"podAffinity": {}}, {"nodeAffinity", "podAntiAffinity", "podAffinity"}),
    },
)
def test_several_controllers_prefer_nodes_of_their_own(
    helm: Helm, find: Find, affinity: JSON, kinds: set[str]
) -> None:
    documents = helm.template({"controller": {"replicas": 2, "affinity": affinity}})
    pod = find(documents, "Deployment", "")["spec"]["template"]
    assert set(pod["spec"]["affinity"]) == kinds
    ((term,),) = pod["spec"]["affinity"]["podAntiAffinity"].values()
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    selected = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
    assert SELECTOR.items() <= selected.items() <= pod["metadata"]["labels"].items()


@cases(
    "own",
    {
        "none": {},
        "another": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]},
    },
)
def test_an_anti_affinity_of_the_user_wins(helm: Helm, find: Find, own: JSON) -> None:
    documents = helm.template({"controller": {"replicas": 2, "affinity": {"podAntiAffinity": own}}})
    pod = find(documents, "Deployment", "")["spec"]["template"]["spec"]
    assert pod["affinity"]["podAntiAffinity"] == own


def test_one_controller_has_no_anti_affinity(find: Find, rendered: list[JSON]) -> None:
    pod = find(rendered, "Deployment", "")["spec"]["template"]["spec"]
    assert set(pod["affinity"]) == {"nodeAffinity"}


def test_plugins_are_updated_without_surge(find: Find, rendered: list[JSON]) -> None:
    strategy = find(rendered, "DaemonSet", "")["spec"]["updateStrategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_namespace_default_is_refused_unless_allowed(helm: Helm) -> None:
    with pytest.raises(AssertionError, match="allowDefaultNamespace=true"):
        helm.template(namespace="default")
    with pytest.raises(AssertionError, match="allowDefaultNamespace=true"):
        helm.template({"namespaceOverride": "default"})
    assert helm.template({"allowDefaultNamespace": True}, namespace="default")
    assert helm.template({"namespaceOverride": "fake-system"}, namespace="default")


@cases(
    ("values", "remedy"),
    {
        "namespace": ({"namespace": "x"}, "--namespace x"),
        "serviceMonitor without service": (
            {"metrics": {"service": {"enabled": False}, "serviceMonitor": {"enabled": True}}},
            "metrics.service.enabled=true",
        ),
        "two servers on a port": (
            {"webhook": {"enabled": True, "port": 8080}},
            "8080 is http.port already, where health and metrics are served; give another port",
        ),
        "page on the port of health": (
            {"ui": {"enabled": True, "port": 8080}},
            "ui.port: 8080 is http.port already",
        ),
    },
)
def test_values_that_cannot_work_are_refused(helm: Helm, values: JSON, remedy: str) -> None:
    with pytest.raises(AssertionError, match=remedy):
        helm.template(values)


def test_namespaced_objects_are_in_the_namespace_of_the_driver(
    helm: Helm, overridden: JSON
) -> None:
    spaces = {d["metadata"].get("namespace") for d in helm.template(overridden)}
    assert spaces == {None, "elsewhere"}


def test_names_are_those_that_users_know(rendered: list[JSON]) -> None:
    names = {(d["kind"], d["metadata"]["name"]) for d in rendered}
    assert ("Deployment", "fake-dra-driver-controller") in names
    assert ("DaemonSet", "fake-dra-driver-kubeletplugin") in names


def test_chart_has_the_version_of_the_package(chart: Path) -> None:
    text = (chart / "Chart.yaml").read_text(encoding="utf-8")
    assert f'appVersion: "{__version__}"' in text
