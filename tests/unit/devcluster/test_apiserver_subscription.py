import threading

import pytest

from devcluster.apiserver.subscription import MAX_BACKLOG, Closed, Subscription


def test_events_come_in_order_then_none() -> None:
    subscription: Subscription[int] = Subscription()
    subscription.put(1)
    subscription.put(2)
    assert [subscription.get(0), subscription.get(0), subscription.get(0)] == [1, 2, None]


def test_closing_wakes_a_watcher_that_waits() -> None:
    subscription: Subscription[int] = Subscription()
    ended = threading.Event()

    def watch() -> None:
        with pytest.raises(Closed):
            subscription.get(20)
        ended.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    subscription.close()
    watcher.join(5)
    assert ended.is_set()


def test_closing_drops_what_is_queued() -> None:
    subscription: Subscription[int] = Subscription()
    subscription.put(1)
    subscription.close()
    with pytest.raises(Closed):
        subscription.get(0)


def test_a_watcher_that_does_not_read_is_cut_off() -> None:
    subscription: Subscription[int] = Subscription()
    for number in range(MAX_BACKLOG):
        subscription.put(number)
    assert subscription.get(0) == 0
    subscription.put(MAX_BACKLOG)
    subscription.put(MAX_BACKLOG + 1)
    with pytest.raises(Closed):
        subscription.get(0)
