import pytest
from prometheus_client import CollectorRegistry

from dra.metrics import PREPARE, UNPREPARE, PluginMetrics
from testing.clock import Clock


@pytest.mark.parametrize("verb", [PREPARE, UNPREPARE])
@pytest.mark.parametrize("fails", [False, True])
def test_call_is_counted_and_timed(verb: str, fails: bool) -> None:
    registry, clock = CollectorRegistry(), Clock()
    metrics = PluginMetrics(registry, clock=clock)
    try:
        with metrics.timed(verb):
            clock.now += 3
            if fails:
                raise ValueError
    except ValueError:
        assert fails
    result = {"result": "error" if fails else "success"}
    duration = f"fake_dra_plugin_{verb}_claim_duration_seconds_sum"
    assert registry.get_sample_value(f"fake_dra_plugin_{verb}_claims_total", result) == 1
    assert registry.get_sample_value(duration, result) == 3


def test_every_series_exists_from_the_start() -> None:
    registry = CollectorRegistry()
    PluginMetrics(registry)
    for verb in (PREPARE, UNPREPARE):
        for result in ("success", "error"):
            name = f"fake_dra_plugin_{verb}_claims_total"
            assert registry.get_sample_value(name, {"result": result}) == 0
    for name in ("collected_claims_total", "registered", "prepared_claims"):
        assert registry.get_sample_value(f"fake_dra_plugin_{name}") == 0


def test_prepared_claims_are_counted_when_asked() -> None:
    registry = CollectorRegistry()
    claims = [1, 2]
    PluginMetrics(registry).count_prepared(lambda: len(claims))
    assert registry.get_sample_value("fake_dra_plugin_prepared_claims") == 2
    claims.clear()
    assert registry.get_sample_value("fake_dra_plugin_prepared_claims") == 0
