"""The hooks of `helm uninstall` run our command, with all that it needs, and leave nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from api.objects import JSON
from cli.__main__ import main
from devcluster.apiserver.selectors import label_requirements
from fsck.uninstall import uninstall
from tests.support.helm import Helm

Find = Callable[[list[JSON], str, str], JSON]

HOOK = "helm.sh/hook"
JOBS = pytest.mark.parametrize("event", ["pre-delete", "post-delete"])


def hooks(documents: list[JSON]) -> list[JSON]:
    return [d for d in documents if HOOK in (d["metadata"].get("annotations") or {})]


def pod_of(find: Find, documents: list[JSON], event: str) -> Any:
    return find(documents, "Job", f"-{event}")["spec"]["template"]["spec"]


@JOBS
def test_all_that_a_job_needs_is_made_before_it_and_goes_after_it(
    rendered: list[JSON], event: str
) -> None:
    notes = [d["metadata"]["annotations"] for d in hooks(rendered)]
    mine = [n for n in notes if event in n[HOOK].split(",")]
    weights = [int(n["helm.sh/hook-weight"]) for n in mine]
    assert sorted(weights) == [-10, -10, -10, -5, -5, 0]
    assert {n["helm.sh/hook-delete-policy"] for n in mine} == {
        "before-hook-creation,hook-succeeded"
    }


def test_rights_of_the_hooks_are_not_there_while_the_driver_is_installed(
    rendered: list[JSON],
) -> None:
    named = {(d["kind"], d["metadata"]["name"]) for d in rendered if "ninstall" in str(d)}
    made = {(d["kind"], d["metadata"]["name"]) for d in hooks(rendered)}
    assert named <= made


def test_hooks_can_be_switched_off(helm: Helm) -> None:
    assert hooks(helm.template({"uninstallHooks": {"enabled": False}})) == []


@JOBS
def test_job_runs_as_the_controller_does(
    helm: Helm, find: Find, overridden: JSON, event: str
) -> None:
    documents = helm.template(overridden)
    pod = pod_of(find, documents, event)
    like = find(documents, "Deployment", "-controller")["spec"]["template"]["spec"]
    for key in ("securityContext", "tolerations", "nodeSelector", "imagePullSecrets"):
        assert pod[key] == like[key]
    (container,), (other,) = pod["containers"], like["containers"]
    for key in ("image", "imagePullPolicy", "securityContext", "resources"):
        assert container[key] == other[key]
    assert pod["restartPolicy"] == "Never"


@JOBS
def test_command_is_that_of_the_package(
    find: Find, rendered: list[JSON], monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    job = find(rendered, "Job", f"-{event}")
    (container,) = pod_of(find, rendered, event)["containers"]
    program, name = container["command"]
    assert program == "fake-dra"
    assert main.commands[name] is uninstall
    for entry in container["env"]:
        monkeypatch.setenv(entry["name"], entry.get("value", "from-a-field"))
    read = uninstall.make_context("uninstall", list(container["args"])).params
    assert read["check"] is (event == "pre-delete")
    assert (read["namespace"], read["logging_format"]) == ("from-a-field", "json")
    assert job["spec"]["activeDeadlineSeconds"] > read["timeout"]
    assert job["spec"]["backoffLimit"] == 0


@pytest.mark.parametrize("override", [{}, {"selectorLabelsOverride": {"team": "batch"}}], ids=str)
def test_pods_to_wait_for_are_those_of_plugin_and_controller(
    helm: Helm, find: Find, override: JSON
) -> None:
    documents = helm.template(override)
    (container,) = pod_of(find, documents, "post-delete")["containers"]
    (argument,) = container["args"]
    selector = argument.removeprefix("--plugin-selector=")
    terms = label_requirements(selector)
    labels = {
        kind: find(documents, kind, "")["spec"]["template"]["metadata"]["labels"]
        for kind in ("DaemonSet", "Deployment")
    }
    job = find(documents, "Job", "-post-delete")["spec"]["template"]["metadata"]["labels"]
    selected = {
        name: all(term.matches(found) for term in terms)
        for name, found in {**labels, "Job": job}.items()
    }
    assert selected == {"DaemonSet": True, "Deployment": True, "Job": False}


def test_no_workload_selects_the_pods_of_the_jobs(rendered: list[JSON]) -> None:
    jobs = [d["spec"]["template"]["metadata"]["labels"] for d in rendered if d["kind"] == "Job"]
    workloads = [d for d in rendered if d["kind"] in ("Deployment", "DaemonSet")]
    selectors = [d["spec"]["selector"]["matchLabels"] for d in workloads]
    selectors += [d["spec"]["selector"] for d in rendered if d["kind"] == "Service"]
    assert len(jobs) == 2
    assert not [s for s in selectors for labels in jobs if s.items() <= labels.items()]
