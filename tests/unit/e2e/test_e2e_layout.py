from pathlib import Path

from tests.e2e.cluster.images import archive_of
from tests.e2e.cluster.layout import ROOT, Layout


def test_cache_is_below_the_home_directory() -> None:
    layout = Layout.from_environment({"HOME": "/home/me"})
    assert layout.cache == Path("/home/me/.cache/fake-dra-e2e")
    assert layout.state == Path("/var/lib/fake-dra-e2e")


def test_environment_moves_cache_and_state() -> None:
    layout = Layout.from_environment({"FAKE_DRA_E2E_CACHE": "/a", "FAKE_DRA_E2E_STATE": "/b"})
    assert (layout.cache, layout.state) == (Path("/a"), Path("/b"))


def test_tools_are_those_of_the_project() -> None:
    assert Layout(Path("/a"), Path("/b")).kubectl == ROOT / ".bin" / "kubectl"
    assert (ROOT / "tools" / "fetch_kubectl.py").exists()


def test_archive_of_an_image_is_one_file() -> None:
    layout = Layout(Path("/a"), Path("/b"))
    assert archive_of(layout, "host/driver:1") == Path("/a/images/host_driver_1.tar")
