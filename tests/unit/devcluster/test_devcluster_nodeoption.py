"""`--node NAME[:devices=N,model=M]`."""

import click
import pytest

from devcluster.config import NodeConfig
from devcluster.nodeoption import check_nodes, node_option, node_text

GA102 = "GA102 [GeForce RTX 3090]"


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("a", NodeConfig("a")),
        ("gpu-1.example.com", NodeConfig("gpu-1.example.com")),
        ("a:devices=0", NodeConfig("a", 0)),
        ("a:devices=128", NodeConfig("a", 128)),
        (f"a:model={GA102}", NodeConfig("a", None, GA102)),
        ("a:devices=2,model=M", NodeConfig("a", 2, "M")),
        ("a:model=x, y: z,devices=2", NodeConfig("a", 2, "x, y: z")),
    ],
)
def test_nodes(text: str, node: NodeConfig) -> None:
    assert node_option(text) == node
    assert node_option(node_text(node)) == node


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "the name '' of a node is invalid"),
        ("A", "the name 'A' of a node is invalid"),
        ("a" * 64, "must be no more than 63 characters"),
        ("a:", "'' is no setting"),
        ("a:devices", "'devices' is no setting"),
        ("a:devices=", "'devices=' is no setting"),
        ("a:devices=many", "devices=many is no number from 0 to 128"),
        ("a:devices=-1", "devices=-1 is no number from 0 to 128"),
        ("a:devices=129", "devices=129 is no number from 0 to 128"),
        (f"a:model={'M' * 64}", "a model has 63 characters at most, this one 64"),
        ("a:devices=1,devices=3", "devices is given twice"),
        ("a:model=M,devices=1,model=M", "model is given twice"),
        ("a:device=3", "unknown setting 'device'"),
    ],
)
def test_what_is_no_node_is_refused_with_the_form(text: str, wrong: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        node_option(text)
    assert wrong in refused.value.message
    assert refused.value.message.endswith("; write NAME[:devices=N,model=M]")


@pytest.mark.parametrize(
    ("nodes", "named", "count"), [(None, [], 1), (None, ["a"], 0), (2, [], 2), (2, ["a", "b"], 2)]
)
def test_one_node_has_a_name_by_default_if_no_other_is_asked_for(
    nodes: int | None, named: list[str], count: int
) -> None:
    assert check_nodes(nodes, tuple(map(NodeConfig, named))) == count


@pytest.mark.parametrize(
    ("nodes", "named", "told"),
    [
        (64, ["a"], "more than 64 nodes"),
        (2, ["fake-dra-driver-cluster-worker2"], "named 'fake-dra-driver-cluster-worker2'"),
        (None, ["a", "b", "a"], "two nodes are named 'a'; give each another name"),
    ],
)
def test_too_many_nodes_and_two_of_one_name_are_refused(
    nodes: int | None, named: list[str], told: str
) -> None:
    with pytest.raises(click.UsageError, match=told):
        check_nodes(nodes, tuple(map(NodeConfig, named)))
