"""docs/tutorial.md: a reader who follows it gets what it shows, and in the end drivers/file."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from devcluster.apiserver.resourceapi import structured
from tests.support.apiserverweb import Web
from tests.support.tutorial import PAGE, ROOT, Block, Reader, alike, blocks, changed

BLOCKS = blocks(PAGE.read_text("utf-8"))
BY_HAND = ["it takes a package index", "it takes docker and a cluster"]


@pytest.mark.timeout(240)
def test_the_tutorial_does_what_it_shows(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for block in BLOCKS:
        assert alike(reader.follow(block)) == alike(block.text)
    made = (reader.where / "file_driver.py").read_text("utf-8")
    assert made == (ROOT / "drivers/file/driver.py").read_text("utf-8")
    assert len(made.splitlines()) < 100


def test_only_what_a_test_cannot_have_is_left_to_the_reader() -> None:
    assert [each.about for each in BLOCKS if each.what == "by hand"] == BY_HAND
    left = [each for each in BLOCKS if not each.what and each.language != "console"]
    assert [each.language for each in left] == ["mermaid"]


def test_its_pod_and_claim_are_valid() -> None:
    (block,) = (each for each in BLOCKS if each.language == "yaml")
    template, pod = yaml.safe_load_all(block.text)
    kubernetes_validate.validate(pod, "1.37", strict=True)
    path = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaimtemplates"
    web = Web(api=structured(34))
    assert web.json("POST", f"{path}?fieldValidation=Strict", template)[0] == 201


def test_a_command_that_complains_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no_such_program"):
        Reader(tmp_path).follow(Block("", "", "console", "$ no_such_program\n"))


MODULE = """class A:
    def one(self):
        return 1

    def two(self):
        return 2


def three():
    return 3


if __name__ == "__main__":
    three()
"""


def test_a_method_replaces_that_of_its_name_and_a_new_one_comes_last() -> None:
    shown = "    def one(self):\n        return 11\n\n    def four(self):\n        return 4\n"
    assert changed(MODULE, shown, "A") == MODULE.replace("return 1\n", "return 11\n").replace(
        "return 2\n", "return 2\n\n    def four(self):\n        return 4\n"
    )


def test_a_function_replaces_that_of_its_name_and_a_new_one_comes_before_the_program() -> None:
    shown = "def three():\n    return 33\n\n\ndef four():\n    return 4\n"
    assert changed(MODULE, shown, "") == MODULE.replace(
        "return 3\n", "return 33\n\n\ndef four():\n    return 4\n"
    )
