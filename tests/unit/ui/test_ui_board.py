"""What pages are told: everything once, then what has changed, whatever they missed."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from ui.board import Board, Place


def never() -> bool:
    return False


PLACES = st.sampled_from([("node", name) for name in "abcde"])
UPDATES = st.lists(
    st.dictionaries(PLACES, st.one_of(st.none(), st.sampled_from(["1", "2"])), max_size=4)
)


@given(UPDATES, st.lists(st.integers(0, 12)), st.integers(0, 3))
def test_a_page_that_looks_now_and_then_knows_what_one_knows_that_looks_always(
    updates: list[dict[Place, str | None]], looks: list[int], most_gone: int
) -> None:
    board, number = Board(most_gone=most_gone), -1
    page: dict[Place, str] = {}
    truth: dict[Place, str | None] = {}
    for index, update in enumerate([*updates, {}]):
        board.update(update)
        truth.update(update)
        if index not in looks and index < len(updates):
            continue
        delta = board.since(number, 0, never)
        if delta is not None:
            page = {} if delta.anew else page
            page.update({p: t for p, t in delta.entries.items() if t is not None})
            page = {p: t for p, t in page.items() if delta.entries.get(p, "") is not None}
            number = delta.number
    assert page == {place: text for place, text in truth.items() if text is not None}


def test_what_stays_as_it_is_is_not_told() -> None:
    board = Board()
    assert board.update({("node", "a"): "1"}) == 1
    assert board.update({("node", "a"): "1"}) == 0
    delta = board.since(-1, 0, never)
    assert delta is not None
    assert board.since(delta.number, 0, never) is None


def test_an_entry_that_changed_often_is_told_once() -> None:
    board = Board()
    board.update({("node", "a"): "1", ("node", "b"): "1"})
    delta = board.since(-1, 0, never)
    assert delta is not None
    for text in "23456":
        board.update({("node", "a"): text})
    later = board.since(delta.number, 0, never)
    assert later is not None
    assert (later.anew, later.entries) == (False, {("node", "a"): "6"})


def test_a_page_that_was_away_too_long_begins_anew() -> None:
    board = Board(most_gone=1)
    board.update({("pod", name): "1" for name in "abc"})
    first = board.since(-1, 0, never)
    board.update({("pod", name): None for name in "ab"})
    assert first is not None
    delta = board.since(first.number, 0, never)
    assert delta is not None
    assert (delta.anew, delta.entries) == (True, {("pod", "c"): "1"})


def test_numbers_of_a_former_process_mean_nothing() -> None:
    board = Board()
    board.begin(1000)
    board.update({("pod", "a"): "1"})
    for number in (0, 1, 999, 2000):
        delta = board.since(number, 0, never)
        assert delta is not None
        assert delta.anew


def test_who_waits_hears_at_once() -> None:
    board, told = Board(), threading.Event()

    def listen() -> None:
        if board.since(-1, 20, never) is not None:
            told.set()

    thread = threading.Thread(target=listen)
    thread.start()
    board.update({("node", "a"): "1"})
    assert told.wait(10)
    thread.join()


def test_who_waits_is_woken_to_stop() -> None:
    board, stop = Board(), threading.Event()
    thread = threading.Thread(target=lambda: board.since(0, 20, stop.is_set))
    thread.start()
    stop.set()
    board.wake()
    thread.join(10)
    assert not thread.is_alive()
