import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.cache import Index

TAGS = {"tag": lambda obj: obj["tags"], "first": lambda obj: obj["tags"][:1]}


def test_finds_by_every_value() -> None:
    index = Index(TAGS)
    a, b = {"tags": ["x", "y"]}, {"tags": ["y"]}
    index.put("a", a)
    index.put("b", b)
    assert index.find("tag", "y") == [a, b]
    assert index.find("first", "y") == [b]
    assert index.find("tag", "z") == []


def test_unknown_index_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError, match=r"no index 'tga'; there are \['first', 'tag'\]"):
        Index(TAGS).find("tga", "x")


def test_repeated_value_counts_once() -> None:
    index = Index(TAGS)
    index.put("a", {"tags": ["x", "x"]})
    assert len(index.find("tag", "x")) == 1


def test_removing_what_is_not_there_is_fine() -> None:
    index = Index(TAGS)
    index.put("a", None)
    assert index.all() == []


def test_objects_are_indexed_when_somebody_looks_and_none_is_kept_that_is_gone() -> None:
    asked: list[str] = []
    index = Index({"tag": lambda obj: asked.append(obj["tag"]) or [obj["tag"]]})
    for tag in "xyz":
        index.put("a", {"tag": tag})
    index.put("b", {"tag": "w"})
    index.put("b", None)
    assert (asked, [*index._unindexed]) == ([], ["a"])
    assert index.find("tag", "z") == [{"tag": "z"}]
    assert (asked, [*index._unindexed]) == (["z"], [])


objects = st.builds(lambda tags: {"tags": tags}, st.lists(st.sampled_from("xyz"), max_size=3))
puts = st.lists(st.tuples(st.sampled_from("abc"), st.none() | objects), max_size=20)


@given(puts)
def test_agrees_with_a_search_through_all(steps: list[tuple[str, dict | None]]) -> None:
    index, plain = Index(TAGS), {}
    for key, obj in steps:
        index.put(key, obj)
        plain.pop(key, None)
        if obj is not None:
            plain[key] = obj
    for value in "xyz":
        wanted = [obj for obj in plain.values() if value in obj["tags"]]
        found = index.find("tag", value)
        assert len(found) == len(wanted)
        assert all(obj in wanted for obj in found)
    assert all(index.get(key) is plain.get(key) for key in "abc")
    assert index._keys.keys() == {
        (name, value)
        for obj in plain.values()
        for name, indexer in TAGS.items()
        for value in indexer(obj)
    }
