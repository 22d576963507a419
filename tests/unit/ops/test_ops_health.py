from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, Counter

from ops.checks import Check
from ops.health import LONGEST_PROFILE, create_app
from ops.stacks import Sampler
from tests.support.tables import cases


def fine() -> None:
    return None


def broken() -> str:
    return "no list yet of pods"


def raising() -> str:
    raise ValueError("bad")


def client(
    *,
    live: dict[str, Check] | None = None,
    ready: dict[str, Check] | None = None,
    registry: CollectorRegistry | None = None,
    metrics_path: str = "/metrics",
    pprof_path: str = "",
    sampler: Sampler | None = None,
) -> FlaskClient:
    app = create_app(
        live=live or {},
        ready=ready or {},
        registry=registry or CollectorRegistry(),
        metrics_path=metrics_path,
        pprof_path=pprof_path,
        sampler=sampler,
    )
    return app.test_client()


def ask_live(path: str, checks: dict[str, Check]) -> tuple[int, str]:
    answer = client(live=checks, ready={"never": broken}).get(f"/healthz{path}")
    return answer.status_code, answer.text.replace("healthz", "x")


def ask_ready(path: str, checks: dict[str, Check]) -> tuple[int, str]:
    answer = client(ready=checks, live={"never": broken}).get(f"/readyz{path}")
    return answer.status_code, answer.text.replace("readyz", "x")


@pytest.mark.parametrize("ask", [ask_live, ask_ready])
@cases(
    ("path", "checks", "code", "text"),
    {
        "no-checks": ("", {}, 200, "ok"),
        "fine": ("", {"a": fine}, 200, "ok"),
        "one-fails": (
            "",
            {"a": fine, "b": broken},
            503,
            "[-]b failed: no list yet of pods\nx check failed\n",
        ),
        "raises": ("", {"b": raising}, 503, "[-]b failed: ValueError: bad\nx check failed\n"),
        "verbose": ("?verbose", {"a": fine}, 200, "[+]a ok\nx check passed\n"),
        "verbose-with-failure": (
            "?verbose=1",
            {"a": fine, "b": broken},
            503,
            "[+]a ok\n[-]b failed: no list yet of pods\nx check failed\n",
        ),
        "no-reason": ("", {"b": lambda: ""}, 503, "[-]b failed: \nx check failed\n"),
    },
)
def test_checks_are_answered(
    ask: Callable[[str, dict[str, Check]], tuple[int, str]],
    path: str,
    checks: dict[str, Check],
    code: int,
    text: str,
) -> None:
    assert ask(path, checks) == (code, text)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/plain"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
    ],
)
def test_metrics_are_served_in_the_form_that_is_asked_for(accept: str, kind: str) -> None:
    registry = CollectorRegistry()
    Counter("claims", "Claims.", registry=registry).inc()
    answer = client(registry=registry, metrics_path="/m").get("/m", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert "claims_total 1.0" in answer.text


def test_an_unknown_path_is_told_the_known_ones() -> None:
    answer = client(pprof_path="/debug").get("/")
    assert (answer.status_code, answer.text) == (404, "/healthz\n/readyz\n/metrics\n/debug\n")
    assert answer.mimetype == "text/plain"


def test_nothing_can_be_changed() -> None:
    assert client().post("/healthz").status_code == 405


def test_stacks_are_off_by_default() -> None:
    assert client().get("/debug/pprof").status_code == 404


def test_stacks_of_all_threads_are_shown() -> None:
    answer = client(pprof_path="/debug/pprof").get("/debug/pprof")
    assert answer.status_code == 200
    assert "test_stacks_of_all_threads_are_shown" in answer.text


class FakeSampler(Sampler):
    def __init__(self, answer: str | None) -> None:
        self.asked: list[float] = []
        self._answer = answer

    def collapsed(self, seconds: float) -> str | None:
        self.asked.append(seconds)
        return self._answer


@pytest.mark.parametrize("seconds", [1, 5, LONGEST_PROFILE])
def test_a_profile_takes_the_time_that_is_asked_for(seconds: int) -> None:
    sampler = FakeSampler("main;run 3\n")
    answer = client(pprof_path="/p", sampler=sampler).get(f"/p?seconds={seconds}")
    assert (answer.status_code, answer.text) == (200, "main;run 3\n")
    assert sampler.asked == [seconds]


@pytest.mark.parametrize("wanted", ["", "0", "61", "-1", "1.5", "x", "٣", "600", "00605", "9" * 99])
def test_a_profile_of_another_length_is_refused(wanted: str) -> None:
    sampler = FakeSampler("")
    answer = client(pprof_path="/p", sampler=sampler).get("/p", query_string={"seconds": wanted})
    assert (answer.status_code, sampler.asked) == (400, [])
    assert answer.text == "seconds must be a whole number from 1 to 60\n"


def test_a_second_profile_at_the_same_time_is_refused() -> None:
    answer = client(pprof_path="/p", sampler=FakeSampler(None)).get("/p?seconds=1")
    assert answer.status_code == 429
    assert "try again" in answer.text
