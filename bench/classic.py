"""Measures a driver of classic claims: its controller and the plugin of a node."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from bench import freeing, gathering, kubelet, negotiating, scaling
from bench.figures import Classic, Negotiation, Node, Scale
from bench.negotiating import Stage
from bench.settings import DEVICES, Amount, Subject
from bench.site import Site

Say = Callable[[str], None]


def measure(
    site: Site,
    subjects: Sequence[Subject],
    amount: Amount,
    parts: Collection[str],
    directory: Path,
    say: Say,
) -> Classic:
    """Measure everything once.

    Args:
        site: an API server that nothing was measured on before.
        subjects: in turn, as far as they are to be compared; the first one is measured in full.
        amount: sizes of samples.
        parts: which to measure.
        directory: new; for logs and the files of nodes.
        say: gets what begins.

    Raises:
        DriverError: a program did not start, or did not do what it should.
    """
    site.prepare()
    nodes = site.add_nodes(range(amount.nodes), DEVICES)
    stages = [
        Stage(site, dataclasses.replace(each, logs=directory / each.variant.name), amount, nodes)
        for each in subjects
    ]
    found = Classic()
    if "negotiation" in parts:
        in_nas = [stage for stage in stages if not stage.subject.handle]
        found.negotiations += _negotiations(in_nas, say)
    _one_node(stages[0], parts, found, say)
    if "plugin" in parts:
        found.nodes += _plugins(stages, say)
    if "negotiation" in parts:
        # late, since it leaves its mark on node states
        in_claims = [stage for stage in stages if stage.subject.handle]
        found.negotiations += _negotiations(in_claims, say)
    if "scale" in parts and amount.scale:
        found.scales += _scales(stages[0], say)
    return found


def _negotiations(stages: Sequence[Stage], say: Say) -> Iterator[Negotiation]:
    for potential in stages[0].amount.potential if stages else ():
        for stage in stages:
            say(f"{potential} potential nodes{stage.subject.variant}")
            yield negotiating.measure(stage, potential)


def _one_node(stage: Stage, parts: Collection[str], found: Classic, say: Say) -> None:
    if "freed" in parts:
        say("freed devices")
        found.freed = freeing.measure(stage)
    if "gathered" in parts:
        say("claims on one node")
        found.gathered = gathering.measure(stage)


def _plugins(stages: Sequence[Stage], say: Say) -> Iterator[Node]:
    for stage in stages:
        if stage.subject.plugin:
            say(f"kubelet plugin{stage.subject.variant}")
            yield kubelet.measure(stage.site, stage.subject, stage.amount)


def _scales(stage: Stage, say: Say) -> Iterator[Scale]:
    site, amount = stage.site, stage.amount
    say(f"storing {amount.stored} claims")
    names = [f"stored-{number:05}" for number in range(amount.stored)]
    site.add_claims(names, site.driver.class_name)
    nodes = list(stage.nodes)
    for count in amount.scale:
        say(f"{count} nodes")
        nodes += site.add_nodes(range(len(nodes), count), DEVICES)
        larger = dataclasses.replace(stage, nodes=nodes)
        yield scaling.measure(larger, amount.stored)
