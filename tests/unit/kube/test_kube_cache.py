from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from api.objects import JSON, key_of, uid_of
from kube.cache import Cache, revision
from tests.support.tables import cases

SECONDS = 60.0
names = st.sampled_from("ab")


def obj(version: int, name: str = "a", uid: str = "u1") -> JSON:
    return {"metadata": {"name": name, "uid": uid, "resourceVersion": str(version)}}


def versions(changes: list) -> list[tuple[int | None, int | None]]:
    return [(old and revision(old), new and revision(new)) for old, new in changes]


def cache(*items: JSON, at: int = 10) -> Cache:
    made = Cache({}, SECONDS)
    made.replace(items, at)
    return made


def shown(made: Cache, name: str = "a") -> int | None:
    found = made.shown.get(name)
    return None if found is None else revision(found)


@cases(
    ("body", "expected"),
    {
        "stored": ({"metadata": {"resourceVersion": "12"}}, 12),
        "never-stored": ({"metadata": {}}, 0),
        "empty": ({"metadata": {"resourceVersion": ""}}, 0),
    },
)
def test_revision(body: JSON, expected: int) -> None:
    assert revision(body) == expected


def test_versions_compare_as_numbers() -> None:
    made = cache(obj(9), at=9)
    assert versions(made.write(obj(10), 0)) == [(9, 10)]
    assert shown(made) == 10


class TestOwnWrite:
    def test_cannot_bring_back_what_was_deleted_since(self) -> None:
        made = cache(obj(10))
        assert versions(made.remove(obj(12))) == [(10, None)]
        assert made.write(obj(11), 0) == []
        assert shown(made) is None

    def test_of_a_successor_survives_the_deletion_of_the_first(self) -> None:
        made = cache(obj(10))
        changes = made.write(obj(13, uid="u2"), 0)
        assert versions(changes) == [(10, None), (None, 13)]
        assert made.remove(obj(12, uid="u1")) == []
        assert shown(made) == 13

    def test_expires_for_readers_but_is_not_taken_back_from_listeners(self) -> None:
        made = cache(obj(10))
        made.write(obj(15), 0)
        made.expire(SECONDS - 1)
        assert shown(made) == 15
        made.expire(SECONDS)
        assert shown(made) == 10
        assert made.apply(obj(11)) == []
        assert versions(made.apply(obj(16))) == [(15, 16)]

    def test_expires_in_its_own_time_when_it_is_repeated(self) -> None:
        made = cache(at=10)
        made.write(obj(11, "a"), 0)
        made.write(obj(12, "b"), 10)
        made.write(obj(13, "a"), 20)
        made.expire(10 + SECONDS)
        assert (shown(made, "a"), shown(made, "b")) == (13, None)


class TestList:
    def test_keeps_an_own_write_that_is_newer(self) -> None:
        made = cache(obj(10))
        made.write(obj(15), 0)
        assert made.replace([obj(10)], 12) == []
        assert shown(made) == 15

    def test_keeps_an_own_creation_that_is_newer(self) -> None:
        made = cache()
        made.write(obj(15), 0)
        assert made.replace([], 12) == []
        assert shown(made) == 15

    def test_of_a_restored_server_goes_back(self) -> None:
        made = cache(obj(10), at=20)
        made.write(obj(21), 0)
        assert versions(made.replace([obj(4)], 5)) == [(21, 4)]
        assert shown(made) == 4

    def test_of_a_server_that_lost_an_own_write_goes_back(self) -> None:
        made = cache(obj(10), at=10)
        made.write(obj(21), 0)
        assert made.newest == 21
        assert versions(made.replace([obj(10)], 12, restored=True)) == [(21, 10)]
        assert (shown(made), made.newest) == (10, 12)
        assert versions(made.apply(obj(13))) == [(10, 13)]

    def test_of_a_restored_server_that_has_overtaken_us_goes_back(self) -> None:
        made = cache(obj(10), at=20)
        made.write(obj(21), 0)
        assert versions(made.replace([obj(4)], 30)) == [(21, 4)]
        assert shown(made) == 4


class History:
    """What an API server stores, and what it answers to the writes."""

    def __init__(self) -> None:
        self.number = 10
        self.uids = 0
        self.stored: dict[str, JSON] = {}
        self.events: list[tuple[str, JSON]] = []

    def write(self, name: str) -> JSON:
        self.number += 1
        old = self.stored.get(name)
        self.uids += old is None
        made = obj(self.number, name, uid_of(old) if old else f"u{self.uids}")
        self.stored[name] = made
        self.events.append(("apply", made))
        return made

    def delete(self, name: str) -> None:
        old = self.stored.pop(name, None)
        if old is not None:
            self.number += 1
            self.events.append(("remove", obj(self.number, name, uid_of(old))))


class Interleaving(RuleBasedStateMachine):
    """Answers to writes, watch events and lists arrive interleaved in any way."""

    def __init__(self) -> None:
        super().__init__()
        self.server = History()
        self.cache = Cache({}, SECONDS)
        self.late: list[JSON] = []
        self.told: dict[str, JSON] = {}
        self.hear(self.cache.replace([], self.server.number))

    def hear(self, changes: list) -> None:
        for old, new in changes:
            key = key_of(old or new)
            assert self.told.get(key) is old
            if old and new:
                assert revision(old) < revision(new)
                assert uid_of(old) == uid_of(new)
            self.told.pop(key, None)
            if new is not None:
                self.told[key] = new

    @rule(name=names)
    def our_write(self, name: str) -> None:
        answer = self.server.write(name)
        self.hear(self.cache.write(answer, 0))
        assert self.cache.shown.get(name) is answer

    @rule(name=names)
    def our_write_with_a_slow_answer(self, name: str) -> None:
        self.late.append(self.server.write(name))

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def slow_answer(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.late) - 1))
        self.hear(self.cache.write(self.late.pop(place), 0))

    @rule(name=names)
    def write_of_others(self, name: str) -> None:
        self.server.write(name)

    @rule(name=names)
    def deletion(self, name: str) -> None:
        self.server.delete(name)

    @precondition(lambda self: self.server.events)
    @rule()
    def watch(self) -> None:
        kind, event = self.server.events.pop(0)
        self.hear(getattr(self.cache, kind)(event))

    @rule()
    def list_again(self) -> None:
        self.server.events.clear()
        self.hear(self.cache.replace(self.server.stored.values(), self.server.number))

    @invariant()
    def listeners_know_what_readers_see(self) -> None:
        assert {key_of(each): each for each in self.cache.shown.all()} == self.told

    def teardown(self) -> None:
        """Once everything has arrived, in whatever order, the cache is like the server."""
        while self.server.events:
            self.watch()
        self.hear(self.cache.advance(self.server.number))
        for answer in self.late:
            assert self.cache.write(answer, 0) == []
        assert self.told == self.server.stored


TestInterleaving = Interleaving.TestCase
