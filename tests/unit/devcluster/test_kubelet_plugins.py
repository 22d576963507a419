"""Which plugins a kubelet accepts."""

from pathlib import Path

import pytest

from devcluster.kubelet.errors import RegistrationRefused
from devcluster.kubelet.plugins import PluginInfo, PluginRegistry, highest_version
from tests.support.tables import cases


class Client:
    def __init__(self, info: PluginInfo) -> None:
        self.info = info
        self.closed = False

    def prepare(self, claims: object) -> dict[str, object]:
        return {}

    def unprepare(self, claims: object) -> dict[str, object]:
        return {}

    def close(self) -> None:
        self.closed = True


def info(
    *versions: str, name: str = "driver", kind: str = "DRAPlugin", at: str = "/a"
) -> PluginInfo:
    return PluginInfo(kind, name, Path(at), versions or ("1.0.0",))


def registry() -> PluginRegistry:
    return PluginRegistry(Client)  # type: ignore[arg-type]


@cases(
    ("versions", "highest"),
    {
        "one": (["1.0.0"], (1, 0, 0)),
        "several": (["1.0.0", "1.2.0", "1.1.9"], (1, 2, 0)),
        "numbers": (["1.10.0", "1.9.0"], (1, 10, 0)),
        "mixed": (["v1beta1.DRAPlugin", "1.0.0"], (1, 0, 0)),
        "unknown-service": (
            ["v1.DRAPlugin", "v1beta1.DRAPlugin", "1.0.0", "other.Service"],
            (1, 0, 0),
        ),
        "other-major": (["2.0.0", "1.1"], (1, 1)),
        "with-v": (["v1.3.0"], (1, 3, 0)),
    },
)
def test_the_highest_known_version_counts(versions: list[str], highest: tuple[int, ...]) -> None:
    assert highest_version(versions) == highest


@cases(
    ("versions", "text"),
    {
        "none": ([], "empty list"),
        "other-major": (["2.0.0"], "none of the supported versions"),
        "later-kubelets": (["v1beta1.DRAPlugin"], "none of the supported versions"),
        "words": (["one"], "1.27 to 1.31"),
        "no-dots": (["1"], "none of the supported versions"),
        "blank": ([""], "none of the supported versions"),
    },
)
def test_a_plugin_without_a_known_version_is_refused(versions: list[str], text: str) -> None:
    with pytest.raises(RegistrationRefused, match=text):
        registry().register(PluginInfo("DRAPlugin", "driver", Path("/a"), tuple(versions)))


def test_a_registered_plugin_is_found_by_name() -> None:
    found = registry()
    plugin = found.register(info())
    assert found.get("driver") is plugin.client
    assert found.get("other") is None
    assert found.names() == ["driver"]


@cases(
    ("bad", "text"),
    {
        "type": (info(kind="CSIPlugin"), 'plugin type "CSIPlugin" is not "DRAPlugin"'),
        "name": (info(name=""), "no name"),
    },
)
def test_what_is_no_dra_plugin_is_refused(bad: PluginInfo, text: str) -> None:
    found = registry()
    with pytest.raises(RegistrationRefused, match=text):
        found.register(bad)
    assert found.names() == []


@pytest.mark.parametrize("second", ["1.0.0", "1.1.0"], ids=["lower", "equal"])
def test_an_equal_or_higher_version_that_is_there_stays(second: str) -> None:
    found = registry()
    first = found.register(info("1.1.0"))
    with pytest.raises(RegistrationRefused, match="already registered with an equal or higher"):
        found.register(info(second, at="/b"))
    assert found.get("driver") is first.client


def test_a_higher_version_takes_over() -> None:
    found = registry()
    old = found.register(info("1.0.0"))
    new = found.register(info("1.1.0", at="/b"))
    assert found.get("driver") is new.client
    assert old.client.closed  # type: ignore[attr-defined]
    assert not new.client.closed  # type: ignore[attr-defined]


def test_an_unregistered_plugin_is_closed_and_may_come_back() -> None:
    found = registry()
    plugin = found.register(info())
    found.unregister("driver")
    found.unregister("driver")
    assert found.get("driver") is None
    assert plugin.client.closed  # type: ignore[attr-defined]
    found.register(info())


def test_close_forgets_all() -> None:
    found = registry()
    plugins = [found.register(info(name=name)) for name in ("b", "a")]
    found.close()
    assert found.names() == []
    assert all(plugin.client.closed for plugin in plugins)  # type: ignore[attr-defined]


def test_a_newer_instance_takes_over_where_the_newest_wins() -> None:
    found = PluginRegistry(Client, newest_wins=True)  # type: ignore[arg-type]
    old = found.register(info("v1.DRAPlugin"))
    new = found.register(info("v1.DRAPlugin", at="/b"))
    assert found.get("driver") is new.client
    assert old.client.closed  # type: ignore[attr-defined]
    assert not found.unregister("driver", Path("/a"))
    assert found.get("driver") is new.client
    assert found.unregister("driver", Path("/b"))
    assert found.get("driver") is None
