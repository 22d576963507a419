import pytest

from api.resources import PODS
from kube import calls
from kube.errors import BrokenAnswer, ConnectFailed, KubeError, NotFound, TooManyRequests
from kube.retries import passes_by_itself, pause
from tests.support.tables import cases

READ = calls.get_object(PODS, "b", "a")
WRITE = calls.create_object(PODS, {"metadata": {"name": "b"}}, "a")


@cases(
    ("error", "read", "write"),
    {
        "no-connection": (ConnectFailed("refused"), True, True),
        "429": (TooManyRequests(429), True, True),
        "lost-answer": (BrokenAnswer("reset"), True, False),
        "refused": (NotFound(404), False, False),
    },
)
def test_worth_another_try(error: KubeError, read: bool, write: bool) -> None:
    assert passes_by_itself(READ, error) == read
    assert passes_by_itself(WRITE, error) == write


def test_pauses_grow_to_a_limit() -> None:
    pauses = [pause(ConnectFailed("x"), attempt, 1.0) for attempt in range(1, 7)]
    assert pauses == pytest.approx([0.4, 0.8, 1.6, 3.0, 3.0, 3.0])


def test_jitter_halves_at_most() -> None:
    assert pause(ConnectFailed("x"), 1, 0.0) == pytest.approx(0.2)


def test_server_says_when() -> None:
    assert pause(TooManyRequests(429, retry_after=2.5), 4, 0.0) == 2.5
