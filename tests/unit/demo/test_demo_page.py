"""The page that `make demo UI=1` serves beside the demos."""

from pathlib import Path
from urllib.request import urlopen

import pytest

from demo.page import Page
from demo.session import DemoFailed
from testing.web import serving, write_kubeconfig
from tests.support.waitingpods import Cluster


@pytest.mark.timeout(90)
def test_it_tells_where_it_is_until_it_is_closed(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    cluster = Cluster()
    with serving(cluster.app) as url:
        write_kubeconfig(url, tmp_path / "kubeconfig")
        page = Page.open(tmp_path)
        try:
            address = page.told.removeprefix("Devices are shown at ")
            with urlopen(address, timeout=20) as answer:
                assert b"<title>DRA devices</title>" in answer.read()
        finally:
            page.close()
            cluster.end_watches()
    assert page.process.returncode == 0


@pytest.mark.timeout(90)
def test_one_that_does_not_start_says_where_its_log_is(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "kubeconfig").write_text("nonsense: [", encoding="utf-8")
    with pytest.raises(DemoFailed, match=r"logs/ui\.log"):
        Page.open(tmp_path)
