"""Which feature gates the scheduler is taken to have."""

import pytest

from explain.features import features, parse_flag, parse_metric

METRIC = """\
# TYPE kubernetes_feature_enabled gauge
kubernetes_feature_enabled{name="DRADeviceTaints",stage="BETA"} 0
kubernetes_feature_enabled{stage="ALPHA",name="DRAListTypeAttributes"} 1
kubernetes_feature_enabled{name="DRAAdminAccess",stage=""} 1
"""


def test_metric_is_read_whatever_the_order_of_labels() -> None:
    assert parse_metric(METRIC) == {
        "DRADeviceTaints": False,
        "DRAListTypeAttributes": True,
        "DRAAdminAccess": True,
    }


@pytest.mark.parametrize("text", ["", "A=true", "A=true,B=False", " A=TRUE , B=false"])
def test_flag_is_read_as_kubernetes_does(text: str) -> None:
    assert parse_flag(text) == {name: name == "A" for name in ("A", "B") if f"{name}=" in text}


@pytest.mark.parametrize("text", ["A", "A=", "A=1", "A=true,B=maybe"])
def test_flag_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not NAME=true or NAME=false"):
        parse_flag(text)


@pytest.mark.parametrize(
    ("minor", "taints", "note"),
    [(35, False, "; the rules are those of 1.36 and later"), (36, True, ""), (37, True, "")],
)
def test_defaults_are_those_of_the_minor(minor: int, taints: bool, note: str) -> None:
    found = features(minor, {}, {})
    assert found.gates.device_taints is taints
    assert ("DRADeviceTaints" in found.on) is taints
    assert found.source == (
        f"defaults of Kubernetes 1.{minor}, since the API server's metrics can't be read{note}"
    )


def test_metric_wins_over_defaults_and_the_flag_over_both() -> None:
    metric = parse_metric(METRIC)
    told = features(37, {}, metric)
    assert not told.gates.device_taints
    assert told.gates.unknown == ("DRAListTypeAttributes",)
    assert told.source == "kubernetes_feature_enabled of the API server"
    flagged = features(37, {"DRADeviceTaints": True}, metric)
    assert flagged.gates.device_taints
    assert flagged.source == "--feature-gates, else kubernetes_feature_enabled of the API server"
