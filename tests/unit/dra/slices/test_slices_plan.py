from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from api.objects import JSON
from dra.publish.slices.compare import content_of, same
from dra.publish.slices.plan import Create, Delete, Identity, Update, Write, plan
from tests.support.slicerig import completes

OWNER = {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "uid-1", "controller": True}
POOL = Identity("gpu.example.com", "node-1", "pool-1", OWNER)


def content(*devices: str) -> JSON:
    return {"nodeName": "node-1", "devices": [{"name": each} for each in devices]}


def layout(devices: Sequence[str], size: int = 2) -> list[JSON]:
    return [content(*devices[at : at + size]) for at in range(0, len(devices), size)]


class Server:
    """Carries out writes as an API server does."""

    def __init__(self) -> None:
        self.stored: dict[str, JSON] = {}

    def slices(self) -> list[JSON]:
        return [*self.stored.values()]

    def plan(self, contents: Sequence[JSON]) -> list[Write]:
        return plan(
            POOL, contents, self.slices(), lambda at, each: same(content_of(each), contents[at])
        )

    def do(self, write: Write) -> None:
        if isinstance(write, Delete):
            del self.stored[write.stored["metadata"]["name"]]
            return
        name = write.body["metadata"]["name"]
        assert (name in self.stored) is isinstance(write, Update)
        self.stored[name] = write.body

    def keep(self, contents: Sequence[JSON]) -> None:
        for write in self.plan(contents):
            self.do(write)


def verbs(writes: Iterable[Write]) -> list[str]:
    return [type(each).__name__ for each in writes]


def generations(server: Server) -> list[int]:
    return [each["spec"]["pool"]["generation"] for each in server.slices()]


def test_names_begin_with_the_index_and_are_cut_as_the_server_cuts_them() -> None:
    server = Server()
    server.keep([content("a"), content("b")])
    base = "00001-gpu.example.com-node-1-"
    meta = server.slices()[1]["metadata"]
    assert meta["generateName"] == base
    assert (meta["name"][: len(base)], len(meta["name"])) == (base, len(base) + 5)
    long = Identity("d" * 60, "node-1", "pool-1", OWNER)
    (created,) = plan(long, [content("a")], [], lambda _at, _each: False)
    assert isinstance(created, Create)
    assert len(created.body["metadata"]["generateName"]) == 58


def test_a_create_that_is_planned_again_has_the_same_name() -> None:
    server = Server()
    assert server.plan([content("a")]) == server.plan([content("a")])


def test_a_pool_that_is_as_wanted_is_left_alone() -> None:
    server = Server()
    server.keep(layout("abc"))
    assert server.plan(layout("abc")) == []


def test_one_changed_slice_is_written_alone_and_keeps_the_generation() -> None:
    server = Server()
    server.keep(layout("abc"))
    assert verbs(server.plan(layout("abx"))) == ["Update"]
    server.keep(layout("abx"))
    assert generations(server) == [1, 1]


def test_a_pool_that_shrinks_is_complete_all_the_time() -> None:
    server = Server()
    server.keep(layout("abcd"))
    writes = server.plan(layout("ab"))
    assert verbs(writes) == ["Update", "Delete"]
    for write in writes:
        server.do(write)
        assert [*"ab"] in completes(server.slices())


def test_a_deleted_slice_is_created_anew_in_the_same_generation() -> None:
    server = Server()
    server.keep(layout("abcdef"))
    del server.stored[server.slices()[1]["metadata"]["name"]]
    assert verbs(server.plan(layout("abcdef"))) == ["Create"]
    server.keep(layout("abcdef"))
    assert generations(server) == [1, 1, 1]


def test_a_foreign_slice_of_the_newest_generation_is_deleted_alone() -> None:
    server = Server()
    server.keep(layout("abc"))
    forged = {**server.slices()[0], "metadata": {"name": "forged"}}
    server.stored["forged"] = forged
    assert server.plan(layout("abc")) == [Delete(forged)]


def test_a_foreign_generation_is_overtaken_before_its_slices_are_deleted() -> None:
    server = Server()
    server.keep(layout("ab"))
    spec = server.slices()[0]["spec"]
    pool = {**spec["pool"], "generation": 7}
    server.stored["forged"] = {"metadata": {"name": "forged"}, "spec": {**spec, "pool": pool}}
    assert verbs(server.plan(layout("ab"))) == ["Update", "Delete"]
    server.keep(layout("ab"))
    assert generations(server) == [8]


def test_old_generations_go_before_newer_ones_when_a_pool_ends() -> None:
    server = Server()
    server.keep(layout("abcd"))
    left = server.slices()[1]
    server.keep(layout("ef"))
    server.stored["00001-left"] = {**left, "metadata": {**left["metadata"], "name": "00001-left"}}
    last = server.plan([])[-1]
    assert isinstance(last, Delete)
    assert last.stored["spec"]["pool"]["generation"] == 2


def test_a_slice_of_another_node_selection_is_replaced() -> None:
    server = Server()
    server.keep([content("a")])
    wide = {"perDeviceNodeSelection": True, "devices": [{"name": "a", "nodeName": "node-1"}]}
    assert verbs(server.plan([wide])) == ["Create", "Delete"]


def test_an_owner_that_was_removed_is_set_again() -> None:
    server = Server()
    server.keep([content("a")])
    server.slices()[0]["metadata"]["ownerReferences"] = []
    assert verbs(server.plan([content("a")])) == ["Update"]


devices = st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=10)
steps = st.lists(
    st.tuples(devices, st.integers(1, 3), st.integers(0, 12), st.lists(st.integers(0, 9))),
    min_size=1,
    max_size=6,
)


@given(steps)
def test_no_reader_is_misled_after_any_single_write(
    history: list[tuple[list[str], int, int, list[int]]],
) -> None:
    """Also where the publisher ends between two writes, and others delete slices."""
    server = Server()
    for wanted, size, done, deleted in history:
        contents = layout(wanted, size)
        before = completes(server.slices())
        for number, write in enumerate(server.plan(contents)):
            if number == done:
                break
            server.do(write)
            assert all(each == wanted or each in before for each in completes(server.slices()))
        else:
            assert completes(server.slices()) == [wanted] * bool(contents)
            assert server.plan(contents) == []
        for at in deleted:
            server.stored.pop(([*server.stored][at : at + 1] or [""])[0], None)
