"""The command line and the variables of a container."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pods import Pod
from devcluster.kubelet.containerenv import (
    IDLE_COMMAND,
    PATH,
    command_line,
    environment,
    expand,
    service_variables,
)
from devcluster.kubelet.errors import InvalidContainer
from tests.support.podrig import bound_pod
from tests.support.tables import cases

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)


def variables(container: dict[str, Any], **options: Any) -> dict[str, str]:
    chosen = {"home": "/home", "address": "10.0.0.1", "cdi": [], "service": {}, **options}
    return environment(Pod(bound_pod()), {"name": "main", **container}, **chosen)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("x$(A)y$(B)z", "x1y2z"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$", "$"),
        ("$A", "$A"),
        ("$(A", "$(A"),
        ("$()", "$()"),
        ("$(A)$", "1$"),
        ("", ""),
    ],
)
def test_references(text: str, result: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == result


@given(st.text())
def test_any_text_can_be_expanded(text: str) -> None:
    assert isinstance(expand(text, {"A": "1"}), str)


@given(names, st.text(), st.text(), st.text())
def test_a_reference_becomes_its_value(name: str, value: str, before: str, after: str) -> None:
    before, after = before.replace("$", ""), after.replace("$", "")
    assert expand(f"{before}$({name}){after}", {name: value}) == f"{before}{value}{after}"


@given(st.text())
def test_doubled_dollars_are_what_was_meant(text: str) -> None:
    assert expand(text.replace("$", "$$"), {"A": "1"}) == text


def test_every_container_has_what_a_real_one_has() -> None:
    found = variables({}, service=service_variables("10.96.0.1", 443))
    assert found["PATH"] == PATH
    assert (found["HOME"], found["HOSTNAME"]) == ("/home", "pod")
    assert found["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert found["KUBERNETES_PORT_443_TCP"] == "tcp://10.96.0.1:443"
    assert set(found) <= {"PATH", "HOME", "HOSTNAME"} | set(service_variables("", 443))


def test_variables_of_the_manifest_may_refer_to_earlier_ones() -> None:
    entries = [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "$(A)-$(LATER)"},
        {"name": "LATER", "value": "$(HOSTNAME)"},
        {"name": "EMPTY"},
    ]
    found = variables({"env": entries})
    assert (found["B"], found["LATER"], found["EMPTY"]) == ("1-$(LATER)", "pod", "")


def test_who_wins() -> None:
    found = variables(
        {"env": [{"name": "PATH", "value": "/bin"}, {"name": "S", "value": "manifest"}]},
        service={"S": "service", "T": "service"},
        cdi=[("S", "cdi"), ("S", "later"), ("HOME", "/cdi")],
    )
    assert (found["PATH"], found["S"], found["T"], found["HOME"]) == (
        "/bin",
        "later",
        "service",
        "/cdi",
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "pod"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "uid-pod"),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "10.0.0.1"),
    ],
)
def test_fields_of_the_pod(path: str, value: str) -> None:
    source = {"fieldRef": {"fieldPath": path}}
    assert variables({"env": [{"name": "X", "valueFrom": source}]})["X"] == value


@cases(
    "container",
    {
        "field": {
            "env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]
        },
        "secret": {
            "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
        },
    },
)
def test_sources_that_are_not_read_here(container: dict[str, Any]) -> None:
    with pytest.raises(InvalidContainer, match=r"here$"):
        variables(container)


@pytest.mark.parametrize("source", ["configMapRef", "secretRef"])
def test_whole_configmaps_and_secrets_are_not_read(source: str) -> None:
    with pytest.raises(InvalidContainer) as refused:
        variables({"envFrom": [{source: {"name": "c"}}]})
    assert str(refused.value) == (
        "envFrom: the embedded kubelet reads no ConfigMaps and Secrets; write values under env"
    )


@cases(
    ("container", "argv"),
    {
        "nothing": ({}, list(IDLE_COMMAND)),
        "args-only": ({"args": ["x"]}, list(IDLE_COMMAND)),
        "args": ({"command": ["run"], "args": ["$(A)", "$$(A)"]}, ["run", "1", "$(A)"]),
        "reference": ({"command": ["$(A)"]}, ["1"]),
        "ash": ({"command": ["ash", "-c", "env"]}, ["/bin/sh", "-c", "env"]),
        "bash": (
            {"command": ["bash", "-c"], "args": ["export; sleep 1"]},
            ["/bin/sh", "-c", "export; sleep 1"],
        ),
        "path": ({"command": ["/bin/ash"]}, ["/bin/sh"]),
        "sh": ({"command": ["sh"]}, ["/bin/sh"]),
        "no-shell": ({"command": ["python"]}, ["python"]),
        "installed": ({"command": ["found/bash"]}, ["found/bash"]),
    },
)
def test_what_is_executed(container: dict[str, Any], argv: list[str]) -> None:
    def which(word: str) -> str | None:
        return word if word.startswith("found/") else None

    assert command_line(container, {"A": "1"}, which) == argv
