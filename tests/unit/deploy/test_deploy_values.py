"""Values, their schema and their table in the README agree, and every value has an effect."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.objects import JSON
from tests.support.helm import Helm
from tests.support.tables import cases

CHART = Path(__file__).parents[3] / "deploy/helm/fake-dra-driver"
BLOCKS = {
    "strategy",
    "updateStrategy",
    "podSecurityContext",
    "securityContext",
    "resources",
    "affinity",
    "probes",
    "init",
}
"""Values that are Kubernetes' own structures, one setting each."""

NOT_SETTINGS = {"global", "namespace"}
"""Known to the schema only: what Helm passes, and what templates/validation.yaml explains."""

# An image has one name, so the digest hides the tag; init is accepted and unused; a switch that is
# on in both sets, and the guard of the namespace, have tests of their own.
WITHOUT_EFFECT = {
    "image.tag",
    "kubeletPlugin.containers.init",
    "allowDefaultNamespace",
    "serviceAccount.create",
    "resourceClass.create",
    "uninstallHooks.enabled",
    "metrics.service.enabled",
    "kubeletPlugin.nodeRestriction.enabled",
}


def leaves(values: JSON, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        here = (*path, key)
        if isinstance(value, dict) and value and key not in BLOCKS:
            yield from leaves(value, here)
        else:
            yield ".".join(here), value


def at(values: JSON, path: str) -> Any:
    found: Any = values
    for key in path.split("."):
        found = found[key]
    return found


def with_leaf(values: JSON, path: str, leaf: Any) -> JSON:
    key, _, rest = path.partition(".")
    return {**values, key: with_leaf(values[key], rest, leaf) if rest else leaf}


LEAVES = dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))))


@pytest.fixture(scope="session")
def schema() -> JSON:
    loaded: JSON = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def all_overridden(helm: Helm, overridden: JSON) -> list[JSON]:
    return helm.template(overridden)


def test_every_leaf_is_overridden(overridden: JSON) -> None:
    same = {path for path, value in LEAVES.items() if at(overridden, path) == value}
    assert same <= WITHOUT_EFFECT


@pytest.mark.parametrize("path", sorted(set(LEAVES) - WITHOUT_EFFECT))
def test_every_value_has_an_effect(
    helm: Helm, overridden: JSON, all_overridden: list[JSON], path: str
) -> None:
    assert helm.template(with_leaf(overridden, path, LEAVES[path])) != all_overridden


def test_schema_and_values_have_the_same_keys(schema: JSON, defaults: JSON) -> None:
    def compare(node: JSON, values: JSON, path: str) -> None:
        properties = set(node["properties"]) - NOT_SETTINGS
        assert properties == set(values), path
        for key in properties:
            inner, value = node["properties"][key], values[key]
            if "properties" in inner and key not in BLOCKS:
                compare(inner, value, f"{path}.{key}")

    compare(schema, defaults, "values")


def test_schema_is_strict_and_explains_everything(schema: JSON) -> None:
    def visit(node: JSON, path: str) -> None:
        if "properties" not in node:
            return
        assert node["additionalProperties"] is False, path
        for key, inner in node["properties"].items():
            assert (
                inner.get("description")
                or "$ref" in inner
                or "enum" in inner
                or (key == "rollingUpdate")
            ), f"{path}.{key}"
            visit(inner, f"{path}.{key}")

    visit(schema, "values")


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("kubeletPlugin.numDevices", 129),
        ("kubeletPlugin.numDevices", -1),
        ("kubeletPlugin.numDevices", "8"),
        ("kubeletPlugin.deviceModel", ""),
        ("kubeletPlugin.heartbeatPeriod", 0.5),
        ("kubeletPlugin.healthFile", "/etc/health"),
        ("kubeletPlugin.splits", "2,3"),
        ("kubeletPlugin.shares", "yes"),
        ("kind", "modern"),
        ("webhook.failurePolicy", "Warn"),
        ("kubeletPlugin.updateStrategy", {"type": "Recreate"}),
        ("controller.strategy", {"type": "OnDelete"}),
        ("controller.workers", 0),
        ("controller.replicas", -1),
        ("controller.unprepareTimeout", 3601),
        ("controller.probes", {"liveness": {"httpGet": {"path": "/"}}}),
        ("controller.extraEnv", {"HTTPS_PROXY": "x"}),
        ("controller.tolerations", [{"effect": "Never"}]),
        ("controller.podAnnotations", {"a": 1}),
        ("image.digest", "sha256:12"),
        ("image.pullPolicy", "Sometimes"),
        ("imagePullSecrets", ["name"]),
        ("logging.format", "xml"),
        ("logging.verbosity", 11),
        ("kubeApi.qps", 0),
        ("kubeApi.burst", 1.5),
        ("http.port", 70000),
        ("http.pprofPath", "debug"),
        ("metrics.path", ""),
        ("metrics.serviceMonitor.interval", "often"),
        ("cdiRoot", "relative"),
        ("kubeletRoot", "/var/lib/kubelet/"),
        ("resourceClass.name", ""),
        ("resourceClass.create", "yes"),
        ("uninstallHooks.enabled", "yes"),
        ("fullnameOverride", "Upper"),
    ],
)
def test_schema_refuses(helm: Helm, defaults: JSON, path: str, wrong: Any) -> None:
    with pytest.raises(AssertionError, match=re.escape(f"- {path}")):
        helm.template(with_leaf(defaults, path, wrong))


@cases(
    ("values", "where"),
    {
        "root": ({"numDevices": 3}, r"\(root\): Additional property numDevices"),
        "component": ({"controller": {"replica": 2}}, "controller: Additional property replica"),
        "container": (
            {"kubeletPlugin": {"containers": {"plugin": {"image": "x"}}}},
            "kubeletPlugin.containers.plugin: Additional property image",
        ),
    },
)
def test_schema_refuses_unknown_keys(helm: Helm, values: JSON, where: str) -> None:
    with pytest.raises(AssertionError, match=where):
        helm.template(values)


def test_readme_table_is_that_of_the_values() -> None:
    text = (CHART / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| (.+?) \| (.+) \|$", text, re.MULTILINE)
    shown = {path: default for path, default, _ in rows}
    assert len(shown) == len(rows)
    assert shown == {
        path: f"`{json.dumps(value)}`"
        if not isinstance(value, dict | list) or not value
        else "see `values.yaml`"
        for path, value in LEAVES.items()
    }
