"""Parameters of GPUs and NICs: what is refused, with which path, and what the rest means."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.objects import JSON
from drivers.gpu import nics
from drivers.gpu.config import GpuConfig, Interval, Strategy, errors, gpu_config
from tests.support.gpuclaims import gpu_config as parameters

NET: JSON = {"apiVersion": "net.resource.example.com/v1alpha1", "kind": "NetConfig"}
SLICING, PARTITIONING = Strategy.TIME_SLICING, Strategy.SPACE_PARTITIONING


def slicing(**config: Any) -> JSON:
    return {"strategy": "TimeSlicing", "timeSlicingConfig": config}


def partitioning(**config: Any) -> JSON:
    return {"strategy": "SpacePartitioning", "spacePartitioningConfig": config}


@pytest.mark.parametrize(
    ("sharing", "meant"),
    [
        (None, GpuConfig(SLICING, Interval.DEFAULT, 1)),
        ({"strategy": "SpacePartitioning"}, GpuConfig(PARTITIONING, Interval.DEFAULT, 1)),
        (slicing(interval="Short"), GpuConfig(SLICING, Interval.SHORT, 1)),
        (slicing(interval="Medium"), GpuConfig(SLICING, Interval.MEDIUM, 1)),
        (partitioning(partitionCount=10), GpuConfig(PARTITIONING, Interval.DEFAULT, 10)),
        (partitioning(partitionCount=0), GpuConfig(PARTITIONING, Interval.DEFAULT, 1)),
    ],
)
def test_what_a_config_means(sharing: JSON | None, meant: GpuConfig) -> None:
    assert errors(parameters(sharing)) == []
    assert gpu_config(parameters(sharing)) == meant


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, ["apiVersion: Missing data", "kind: Missing data"]),
        (parameters(kind="NetConfig"), ["kind: NetConfig is unknown, it must be GpuConfig."]),
        (
            parameters(apiVersion="gpu.resource.example.com/v1"),
            ["apiVersion: gpu.resource.example.com/v1 is unknown, it must be gpu.resource.example"],
        ),
        (parameters(shared=True), ["shared: Unknown field."]),
        (parameters([]), ["sharing: Invalid input type."]),
        (parameters({}), ["sharing.strategy: Missing data"]),
        (
            parameters({"strategy": "Luck"}),
            ["sharing.strategy: unknown GPU sharing strategy: Luck, it must be one of TimeSlicing"],
        ),
        (
            parameters(slicing(interval="")),
            ["sharing.timeSlicingConfig.interval: unknown time-slice interval: , it must be"],
        ),
        (
            parameters(slicing(interval=3)),
            ["sharing.timeSlicingConfig.interval: Not a valid string."],
        ),
        (
            parameters(partitioning(partitionCount=-1)),
            ["sharing.spacePartitioningConfig.partitionCount: -1 is less than 0."],
        ),
        *(
            (
                parameters(partitioning(partitionCount=count)),
                ["sharing.spacePartitioningConfig.partitionCount: Not a valid integer."],
            )
            for count in ("10", 1.5, True)
        ),
        (
            parameters(slicing(interval="Never", turns=2), more=1),
            ["sharing.timeSlicingConfig.interval: ", "sharing.timeSlicingConfig.turns: ", "more: "],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_path(wrong: JSON, said: list[str]) -> None:
    found = errors(wrong)
    assert len(found) == len(said)
    assert [text for text in said if not any(each.startswith(text) for each in found)] == []


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["strategy", "timeSlicingConfig", "spacePartitioningConfig", "interval", "partitionCount"]
)
SHARING = st.dictionaries(
    NAMES, JSONS | st.sampled_from([*Strategy, *Interval]) | st.dictionaries(NAMES, JSONS)
)


@given(JSONS | SHARING)
def test_what_has_no_errors_can_be_read(sharing: Any) -> None:
    """A claim that passes the webhook is prepared: there is one schema for both."""
    given = parameters(sharing)
    if not errors(given):
        assert isinstance(gpu_config(given), GpuConfig)


@pytest.mark.parametrize(
    ("burst", "said"),
    [
        ({"ingressBurst": 1000, "egressBurst": 0}, []),
        (None, []),
        ({"ingressBurst": 34359738359}, []),
        (
            {"ingressBurst": 34359738360},
            ["bwBurst.ingressBurst: 34359738360 bits are out of bound"],
        ),
        ({"egressBurst": -1}, ["bwBurst.egressBurst: -1 bits are out of bounds"]),
        ({"burst": 1}, ["bwBurst.burst: Unknown field."]),
    ],
)
def test_bursts_of_a_nic(burst: JSON | None, said: list[str]) -> None:
    found = nics.errors({**NET, "bwBurst": burst})
    assert len(found) == len(said)
    assert all(each.startswith(text) for each, text in zip(found, said, strict=True))
