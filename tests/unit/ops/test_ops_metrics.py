import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api import __version__
from ops.metrics import REQUEST_BUCKETS, Metrics

REQUESTS = "rest_client_requests_total"
DURATION = "rest_client_request_duration_seconds"


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


@pytest.mark.parametrize(
    ("verb", "code", "method", "label"),
    [
        ("get", 200, "GET", "200"),
        ("list", 200, "GET", "200"),
        ("watch", 410, "GET", "410"),
        ("create", 409, "POST", "409"),
        ("update", 409, "PUT", "409"),
        ("patch", 404, "PATCH", "404"),
        ("delete", 200, "DELETE", "200"),
        ("patch", 0, "PATCH", "<error>"),
        ("get", 418, "GET", "418"),
        ("head", 200, "HEAD", "200"),
    ],
)
def test_a_request_is_counted_by_method_and_code(
    verb: str, code: int, method: str, label: str
) -> None:
    metrics = Metrics()
    metrics.observe_request(verb, "pods", code, 0.3)
    metrics.observe_request(verb, "nodes", code, 0.1)
    assert value(metrics, REQUESTS, method=method, code=label) == 2
    assert value(metrics, f"{DURATION}_count", verb=verb) == 2
    assert value(metrics, f"{DURATION}_sum", verb=verb) == pytest.approx(0.4)
    assert value(metrics, f"{DURATION}_bucket", verb=verb, le="0.25") == 1


def test_usual_series_exist_before_the_first_request() -> None:
    metrics = Metrics()
    assert value(metrics, REQUESTS, method="PATCH", code="409") == 0
    assert value(metrics, REQUESTS, method="GET", code="<error>") == 0
    assert value(metrics, f"{DURATION}_count", verb="watch") == 0


def test_what_every_program_has_is_there() -> None:
    families = {f.name for f in Metrics().registry.collect()}
    assert {"process_cpu_seconds", "python_info", "python_gc_collections"} <= families
    build = next(f for f in Metrics().registry.collect() if f.name == "fake_dra_build_info")
    assert [s.labels["version"] for s in build.samples] == [__version__]


def test_two_programs_in_one_process_do_not_share() -> None:
    one, other = Metrics(), Metrics()
    one.observe_request("get", "pods", 200, 0.1)
    assert value(other, REQUESTS, method="GET", code="200") == 0


def test_the_page_can_be_read_and_has_no_created_series() -> None:
    metrics = Metrics()
    metrics.queue("claims").added("a")
    page = generate_latest(metrics.registry).decode()
    assert {f.name for f in text_string_to_metric_families(page)} >= {
        "rest_client_requests",
        "workqueue_adds",
        "workqueue_depth",
    }
    assert "_created" not in page


def test_every_series_of_a_family_exists_from_the_start() -> None:
    metrics = Metrics()
    labels = {"kind": ("claim", "pod"), "result": ("done", "error")}
    metrics.counter("x_handled", "Things.", labels)
    metrics.gauge("x_depth", "Things.", labels)
    metrics.histogram("x_seconds", "Things.", labels, buckets=(1, 2))
    for kind in labels["kind"]:
        for result in labels["result"]:
            for name in ("x_handled_total", "x_depth", "x_seconds_count"):
                assert value(metrics, name, kind=kind, result=result) == 0


def test_a_family_without_labels_is_one_series() -> None:
    metrics = Metrics()
    metrics.counter("y", "Things.").inc()
    metrics.gauge("y_now", "Things.").set(4)
    metrics.histogram("y_seconds", "Things.").observe(61)
    assert value(metrics, "y_total") == 1
    assert value(metrics, "y_now") == 4
    assert value(metrics, "y_seconds_bucket", le=str(float(REQUEST_BUCKETS[-1]))) == 0
    assert value(metrics, "y_seconds_bucket", le="+Inf") == 1
