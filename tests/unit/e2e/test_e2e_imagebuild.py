from tests.e2e.cluster.imagebuild import public_base
from tests.e2e.cluster.layout import ROOT
from tests.support.tables import cases


@cases(
    ("dockerfile", "base"),
    {
        "argument": ("ARG BASE_IMAGE=python:3\nFROM ${BASE_IMAGE}\n", "python:3"),
        "in a comment": ("# ARG BASE_IMAGE=python:3\nFROM debian\n", None),
        "without default": ("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", None),
    },
)
def test_base_of_a_dockerfile(dockerfile: str, base: str | None) -> None:
    assert public_base(dockerfile) == base


def test_base_of_the_project_can_be_replaced() -> None:
    assert public_base((ROOT / "Dockerfile").read_text(encoding="utf-8"))
