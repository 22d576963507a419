"""Which CDI files a strict runtime accepts."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cdi import lowest_version
from devcluster.kubelet.cdispec import check_spec
from tests.support.tables import cases

GOOD: dict[str, Any] = {
    "cdiVersion": "0.3.0",
    "kind": "k8s.vendor.com/gpu",
    "containerEdits": {"env": ["COMMON=1"]},
    "devices": [{"name": "one", "containerEdits": {"env": ["A=", "B=x=y"]}}],
}

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6)
)
words = st.sampled_from(
    [
        "cdiVersion",
        "kind",
        "devices",
        "containerEdits",
        "annotations",
        "name",
        "env",
        "mounts",
        "deviceNodes",
        "hooks",
        "path",
        "hostPath",
        "containerPath",
        "additionalGids",
        "0.3.0",
        "vendor.com/gpu",
        "one",
        "A=1",
    ]
)
anything = st.recursive(
    leaves | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(words | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """Return the good spec with one value replaced."""
    spec = copy.deepcopy(GOOD)
    place: Any = spec
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return spec


def with_edits(**edits: Any) -> dict[str, Any]:
    return changed("devices", 0, "containerEdits", to=edits)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ([], "not an object"),
        ({}, "cdiVersion None is unknown"),
        (changed("cdiVersion", to="0.2.0"), "cdiVersion '0.2.0' is unknown"),
        (changed("cdiVersion", to="1.1.0"), "cdiVersion '1.1.0' is unknown"),
        (changed("cdiVersion", to=["0.3.0"]), "is unknown"),
        (changed("kind", to="gpu"), "kind 'gpu' is not vendor/class"),
        (changed("kind", to="3d.com/gpu"), "is not vendor/class"),
        (changed("kind", to="v.com/g"), "is not vendor/class"),
        (changed("kind", to=3), "is not vendor/class"),
        (changed("extra", to=1), "extra is unknown"),
        (changed("devices", to=[]), "no devices"),
        (changed("devices", to={}), "no devices"),
        (changed("devices", to=["one"]), "devices[0] is not an object"),
        (changed("devices", 0, "name", to="-x"), "devices[0].name '-x' is invalid"),
        (changed("devices", 0, "name", to=5), "devices[0].name 5 is invalid"),
        (changed("devices", 0, "extra", to=1), "devices[0].extra is unknown"),
        (changed("devices", 0, "containerEdits", to={}), "containerEdits is empty"),
        (changed("devices", 0, "containerEdits", to="x"), "containerEdits is not an object"),
        (changed("devices", to=GOOD["devices"] * 2), "duplicate device names"),
        (changed("containerEdits", to={"environment": []}), "containerEdits.environment is unk"),
        (changed("containerEdits", to=7), "containerEdits is not an object"),
        (with_edits(env=["A"]), "env entry 'A' is not NAME=value"),
        (with_edits(env=["=1"]), "env entry '=1' is not NAME=value"),
        (with_edits(env=[1]), "env entry 1 is not NAME=value"),
        (with_edits(env=1), "env is not a list"),
        (with_edits(mounts={}), "mounts is not a list"),
        (with_edits(mounts=[{"hostPath": "/a"}]), "mounts[0] has no containerPath"),
        (with_edits(mounts=["/a"]), "mounts[0] is not an object"),
        (with_edits(deviceNodes=[{"path": ""}]), "deviceNodes[0] has no path"),
        (with_edits(deviceNodes=[{"path": "/d", "mode": 1}]), "deviceNodes[0].mode is unknown"),
        (with_edits(hooks=[{"path": "/h"}]), "hooks[0] has no hookName"),
    ],
)
def test_what_a_runtime_refuses(spec: Any, problem: str) -> None:
    found = check_spec(spec)
    assert found is not None
    assert problem in found


@cases(
    ("spec", "version"),
    {
        "plain": (GOOD, "0.3.0"),
        "mount-type": (
            with_edits(mounts=[{"hostPath": "/a", "containerPath": "/b", "type": "x"}]),
            "0.4.0",
        ),
        "host-path": (with_edits(deviceNodes=[{"path": "/d", "hostPath": "/h"}]), "0.5.0"),
        "digit": (changed("devices", 0, "name", to="1one"), "0.5.0"),
        "device-annotations": (changed("devices", 0, "annotations", to={"a": "b"}), "0.6.0"),
        "annotations": (changed("annotations", to={"a": "b"}), "0.6.0"),
        "dot": (changed("kind", to="vendor.com/gpu.small"), "0.6.0"),
        "gids": (with_edits(additionalGids=[5]), "0.7.0"),
        "rdt": (changed("containerEdits", to={"intelRdt": {"closID": "x"}}), "0.7.0"),
    },
)
def test_content_needs_a_version(spec: dict[str, Any], version: str) -> None:
    assert lowest_version(spec) == version
    assert check_spec({**spec, "cdiVersion": version}) is None
    if version != "0.3.0":
        assert check_spec({**spec, "cdiVersion": "0.3.0"}) == (
            f"cdiVersion 0.3.0 is too low, the content needs {version}"
        )


@given(anything)
def test_anything_gets_an_answer(raw: object) -> None:
    problem = check_spec(raw)
    assert problem is None or problem


@given(st.dictionaries(words, anything))
def test_a_good_spec_with_anything_in_it_gets_an_answer(fields: dict[str, Any]) -> None:
    problem = check_spec({**GOOD, **fields})
    assert problem is None or problem


@given(anything, st.sampled_from(["env", "mounts", "deviceNodes", "hooks", "intelRdt"]))
def test_a_device_with_anything_in_its_edits_gets_an_answer(value: object, field: str) -> None:
    problem = check_spec(with_edits(**{field: value}))
    assert problem is None or problem
