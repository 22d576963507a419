import io

import pytest

from kube.errors import BrokenAnswer, ConnectFailed, KubeError, WatchSilent, WentBack, api_error
from kube.resources import PODS
from ops.logs import configure, get_logger
from ops.metrics import Metrics
from ops.watches import watch_failures


@pytest.mark.parametrize(
    "error",
    [
        WentBack("back"),
        WatchSilent("silent"),
        BrokenAnswer("reset"),
        ConnectFailed("refused"),
        api_error(410, {}, call="watch pods"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.usefixtures("kept_logging")
def test_failure_is_logged_and_counted(error: KubeError) -> None:
    log, metrics = io.StringIO(), Metrics()
    configure("text", 0, log)
    name, labels = "fake_dra_watch_failures_total", {"error": type(error).__name__}
    assert metrics.registry.get_sample_value(name, labels) == 0
    watch_failures(get_logger("controller"), PODS, metrics)(error)
    assert metrics.registry.get_sample_value(name, labels) == 1
    said = f'controller] "watch failed, trying again" resource="pods" error="{error}"\n'
    assert log.getvalue().endswith(said)


@pytest.mark.usefixtures("kept_logging")
def test_program_without_metrics_just_logs() -> None:
    log = io.StringIO()
    configure("text", 0, log)
    watch_failures(get_logger("scheduler"), PODS)(WentBack("back"))
    assert 'resource="pods" error="back"' in log.getvalue()
