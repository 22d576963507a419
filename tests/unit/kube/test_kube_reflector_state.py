"""What a reflector does next, without a loop around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube import errors
from kube.errors import ConnectFailed, ReadTimeout
from kube.reflector import ReflectorState
from tests.support.tables import cases


def refusal(status: int, retry_after: float | None = None) -> errors.ApiError:
    return errors.api_error(status, {}, call="watch pods", retry_after=retry_after)


class TestState:
    def state(self, rand: float = 1.0) -> ReflectorState:
        return ReflectorState(lambda: rand)

    def test_begins_with_a_list(self) -> None:
        assert self.state().version is None

    @cases(("rand", "seconds"), {"low": (0.0, 300), "mid": (0.5, 450), "high": (0.999, 599)})
    def test_watches_last_5_to_10_minutes(self, rand: float, seconds: int) -> None:
        assert self.state(rand).watch_seconds() == seconds

    def test_back_off_doubles_up_to_30_seconds(self) -> None:
        state = self.state()
        pauses = [state.failed(ConnectFailed("refused"), 0.0) for _ in range(8)]
        assert pauses == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0])

    @given(st.integers(0, 2000), st.floats(0, 1, exclude_max=True))
    def test_pause_is_bounded(self, failures: int, rand: float) -> None:
        state = self.state(rand)
        state._failures = failures
        assert 0.4 <= state.failed(ConnectFailed("refused"), 0.0) <= 30.0

    def test_event_resets_the_back_off(self) -> None:
        state = self.state()
        for _ in range(5):
            state.failed(ConnectFailed("refused"), 0.0)
        state.opened(0.0)
        state.seen("12")
        assert state.failed(ConnectFailed("refused"), 0.1) == pytest.approx(0.8)

    def test_watch_that_lasted_resets_the_back_off(self) -> None:
        state = self.state()
        for _ in range(5):
            state.failed(ConnectFailed("refused"), 0.0)
        state.opened(0.0)
        assert state.failed(ReadTimeout("silent"), 330.0) == pytest.approx(0.8)

    def test_slow_failures_without_a_watch_do_not(self) -> None:
        state = self.state()
        pauses = [state.failed(ReadTimeout("silent"), 30.0 * n) for n in range(3)]
        assert pauses == pytest.approx([0.8, 1.6, 3.2])

    def test_list_alone_does_not(self) -> None:
        state = self.state()
        pauses = []
        for _ in range(3):
            state.listed("10")
            pauses.append(state.failed(refusal(403), 0.0))
        assert pauses == pytest.approx([0.8, 1.6, 3.2])

    @pytest.mark.parametrize("lasted", [0.0, 0.9])
    def test_watch_that_ends_at_once_backs_off(self, lasted: float) -> None:
        state = self.state()
        pauses = []
        for _ in range(3):
            state.opened(0.0)
            pauses.append(state.ended(lasted))
        assert pauses == pytest.approx([0.8, 1.6, 3.2])

    @pytest.mark.parametrize(("asked", "pause"), [(0.0, 0.8), (0.5, 0.8), (7.5, 7.5), (90.0, 90.0)])
    def test_server_may_ask_for_a_longer_pause(self, asked: float, pause: float) -> None:
        error = refusal(429, retry_after=asked)
        assert self.state().failed(error, 0.0) == pytest.approx(pause)
