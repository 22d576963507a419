"""Which classes there are in each version, and what is done about one that is there already."""

from typing import Any

import pytest

from api.classes import (
    CLASSES,
    MANAGED_BY,
    Verdict,
    is_ours,
    managed_selector,
    replaced,
    verdict,
    wanted_classes,
)
from api.contract import FAKE
from api.objects import JSON

NAME = "fake.3-shake.com"


def selecting(kind: str) -> JSON:
    own = 'device.attributes["fake.resource.3-shake.com"].type'
    driver = 'device.driver == "fake.resource.3-shake.com"'
    expression = f'{driver} && has({own}) && {own} == "{kind}"'
    return {"spec": {"selectors": [{"cel": {"expression": expression}}]}}


@pytest.mark.parametrize(
    ("version", "kind", "contents"),
    [
        ("v1alpha2", "ResourceClass", {NAME: {"driverName": FAKE.driver_name}}),
        ("v1alpha3", "DeviceClass", {NAME: {"spec": {}}}),
        *(
            (
                version,
                "DeviceClass",
                {NAME: selecting("whole"), f"split.{NAME}": selecting("split")},
            )
            for version in ("v1beta1", "v1beta2", "v1")
        ),
    ],
)
def test_each_version_has_its_classes(version: str, kind: str, contents: JSON) -> None:
    found = wanted_classes(version, FAKE, NAME)
    assert {obj["metadata"]["name"]: _content(obj) for obj in found} == contents
    assert {obj["kind"] for obj in found} == {kind}
    assert {obj["apiVersion"] for obj in found} == {f"resource.k8s.io/{version}"}
    assert {obj["metadata"]["labels"][MANAGED_BY] for obj in found} == {FAKE.driver_name}


@pytest.mark.parametrize("version", CLASSES)
def test_no_name_is_no_class(version: str) -> None:
    assert wanted_classes(version, FAKE, "") == ()


def test_a_renamed_driver_is_named_in_label_and_selector() -> None:
    renamed = FAKE.renamed("gpu.example.com")
    (whole, _) = wanted_classes("v1", renamed, NAME)
    assert managed_selector(renamed) == f"{MANAGED_BY}=gpu.example.com"
    assert whole["metadata"]["labels"] == {MANAGED_BY: "gpu.example.com"}
    assert whole["spec"]["selectors"][0]["cel"]["expression"].startswith(
        'device.driver == "gpu.example.com" && has('
    )


def made(version: str = "v1alpha3", **content: Any) -> JSON:
    """Return a class as the driver has made it, with what others have made of it."""
    return {**wanted_classes(version, FAKE, NAME)[0], **content}


def bare(obj: JSON, *fields: str) -> JSON:
    meta = {name: value for name, value in obj["metadata"].items() if name not in fields}
    return {**obj, "metadata": meta}


WANTED = made("v1")


@pytest.mark.parametrize(
    ("found", "wanted", "decided"),
    [
        pytest.param(None, WANTED, Verdict.CREATE, id="none"),
        pytest.param(made("v1"), WANTED, Verdict.KEEP, id="as-wanted"),
        pytest.param(made("v1beta1"), WANTED, Verdict.KEEP, id="in-another-version"),
        pytest.param(made(), WANTED, Verdict.REPLACE, id="of-the-classic-kind"),
        pytest.param(bare({"metadata": made()["metadata"]}), WANTED, Verdict.REPLACE, id="no-spec"),
        pytest.param(made("v1"), made(), Verdict.REPLACE, id="of-the-structured-kind"),
        pytest.param(made(spec={"config": [{}]}), WANTED, Verdict.EDITED, id="edited"),
        pytest.param(made(spec=WANTED["spec"]), WANTED, Verdict.KEEP, id="edited-to-be-right"),
        pytest.param(
            bare(made(), "annotations"), WANTED, Verdict.EDITED, id="says-not-what-it-was"
        ),
        pytest.param(bare(made(), "labels"), WANTED, Verdict.FOREIGN, id="without-label"),
        pytest.param(bare(made("v1"), "labels"), WANTED, Verdict.FOREIGN, id="foreign-and-right"),
    ],
)
def test_what_others_made_or_edited_is_left_to_them(
    found: JSON | None, wanted: JSON, decided: Verdict
) -> None:
    assert verdict(found, wanted, FAKE) is decided


def test_replacing_keeps_what_others_have_put_on_the_class() -> None:
    found = made()
    found["metadata"] |= {
        "resourceVersion": "7",
        "labels": {**found["metadata"]["labels"], "team": "a"},
    }
    new = replaced(found, WANTED)
    assert new["spec"] == WANTED["spec"]
    assert new["metadata"]["resourceVersion"] == "7"
    assert new["metadata"]["labels"] == {MANAGED_BY: FAKE.driver_name, "team": "a"}
    assert verdict(new, WANTED, FAKE) is Verdict.KEEP


def _content(obj: JSON) -> JSON:
    return {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}


@pytest.mark.parametrize("version", CLASSES)
def test_a_copy_under_another_name_is_its_owner_s(version: str) -> None:
    """As by kubectl get -o yaml, with label and annotation."""
    for made in wanted_classes(version, FAKE, NAME):
        copied = {**made, "metadata": {**made["metadata"], "name": "my-devices"}}
        assert is_ours(made, FAKE)
        assert not is_ours(copied, FAKE)
