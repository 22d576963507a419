from devcluster.apiserver.registry import Registry
from tests.support.apiserverrig import thing_kind

V1 = thing_kind()
V2 = thing_kind(version="v2")
OTHER = thing_kind(plural="others", kind="Other")
THINGS = ("example.com", "things")


def test_kinds_are_found_by_path_and_by_name() -> None:
    registry = Registry([V1, V2, OTHER])
    assert registry.find("example.com", "v2", "things") is V2
    assert registry.find("example.com", "v3", "things") is None
    assert registry.by_kind("example.com/v1", "Other") is OTHER
    assert registry.by_kind("v1", "Other") is None


def test_a_resource_is_there_once_in_whichever_version() -> None:
    registry = Registry([V1, V2, OTHER])
    assert registry.resolve(THINGS) is V1
    assert registry.resolve(("", "pods")) is None
    assert registry.resources() == (V1, OTHER)


def test_replacing_takes_versions_away() -> None:
    registry = Registry([V1, V2, OTHER])
    registry.replace(THINGS, [V2])
    assert registry.all() == (OTHER, V2)
    registry.remove(THINGS)
    assert registry.all() == (OTHER,)
