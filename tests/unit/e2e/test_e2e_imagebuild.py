import pytest

from tests.e2e.cluster.imagebuild import public_base
from tests.e2e.cluster.layout import ROOT


@pytest.mark.parametrize(
    ("dockerfile", "base"),
    [
        pytest.param("ARG BASE_IMAGE=python:3\nFROM ${BASE_IMAGE}\n", "python:3", id="argument"),
        pytest.param("# ARG BASE_IMAGE=python:3\nFROM debian\n", None, id="in a comment"),
        pytest.param("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", None, id="without default"),
    ],
)
def test_base_of_a_dockerfile(dockerfile: str, base: str | None) -> None:
    assert public_base(dockerfile) == base


def test_base_of_the_project_can_be_replaced() -> None:
    assert public_base((ROOT / "Dockerfile").read_text(encoding="utf-8"))
