from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from prometheus_client import CollectorRegistry, Counter

from ops.checks import Check
from ops.health import LONGEST_PROFILE, Answer, create_pages
from ops.stacks import Sampler
from tests.support.tables import cases


def fine() -> None:
    return None


def broken() -> str:
    return "no list yet of pods"


def raising() -> str:
    raise ValueError("bad")


def ask(
    target: str,
    *,
    accept: str = "",
    live: dict[str, Check] | None = None,
    ready: dict[str, Check] | None = None,
    registry: CollectorRegistry | None = None,
    metrics_path: str = "/metrics",
    pprof_path: str = "",
    sampler: Sampler | None = None,
) -> Answer:
    pages = create_pages(
        live=live or {},
        ready=ready or {},
        registry=registry or CollectorRegistry(),
        metrics_path=metrics_path,
        pprof_path=pprof_path,
        sampler=sampler,
    )
    return pages.answer(target, accept)


def ask_live(path: str, checks: dict[str, Check]) -> tuple[int, str]:
    answer = ask(f"/healthz{path}", live=checks, ready={"never": broken})
    return answer.status, answer.body.decode().replace("healthz", "x")


def ask_ready(path: str, checks: dict[str, Check]) -> tuple[int, str]:
    answer = ask(f"/readyz{path}", ready=checks, live={"never": broken})
    return answer.status, answer.body.decode().replace("readyz", "x")


@pytest.mark.parametrize("asking", [ask_live, ask_ready])
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
    asking: Callable[[str, dict[str, Check]], tuple[int, str]],
    path: str,
    checks: dict[str, Check],
    code: int,
    text: str,
) -> None:
    assert asking(path, checks) == (code, text)


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
    answer = ask("/m", accept=accept, registry=registry, metrics_path="/m")
    assert (answer.status, answer.content_type.partition(";")[0]) == (200, kind)
    assert b"claims_total 1.0" in answer.body


def test_an_unknown_path_is_told_the_known_ones() -> None:
    answer = ask("/", pprof_path="/debug")
    assert (answer.status, answer.body) == (404, b"/healthz\n/readyz\n/metrics\n/debug\n")
    assert answer.content_type == "text/plain; charset=utf-8"


def test_stacks_are_off_by_default() -> None:
    assert ask("/debug/pprof").status == 404


def test_stacks_of_all_threads_are_shown() -> None:
    answer = ask("/debug/pprof", pprof_path="/debug/pprof")
    assert answer.status == 200
    assert b"test_stacks_of_all_threads_are_shown" in answer.body


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
    answer = ask(f"/p?seconds={seconds}", pprof_path="/p", sampler=sampler)
    assert answer == Answer(b"main;run 3\n")
    assert sampler.asked == [seconds]


@pytest.mark.parametrize("wanted", ["", "0", "61", "-1", "1.5", "x", "٣", "600", "00605", "9" * 99])
def test_a_profile_of_another_length_is_refused(wanted: str) -> None:
    sampler = FakeSampler("")
    answer = ask(f"/p?{urlencode({'seconds': wanted})}", pprof_path="/p", sampler=sampler)
    assert sampler.asked == []
    assert answer == Answer(b"seconds must be a whole number from 1 to 60\n", 400)


def test_a_second_profile_at_the_same_time_is_refused() -> None:
    answer = ask("/p?seconds=1", pprof_path="/p", sampler=FakeSampler(None))
    assert answer.status == 429
    assert b"try again" in answer.body
