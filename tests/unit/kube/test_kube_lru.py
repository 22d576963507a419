"""What was used last."""

from kube.lru import LRU


def test_the_key_that_was_not_asked_for_longest_is_forgotten() -> None:
    lru = LRU[str, list[str]](2)
    made = [lru.setdefault(key, lambda key=key: [key]) for key in ("a", "b", "a", "c")]
    assert made == [["a"], ["b"], ["a"], ["c"]]
    assert made[0] is made[2]
    assert ["a" in lru, "b" in lru, "c" in lru] == [True, False, True]
