"""docs/devices.md shows what the programs do, in both ways to communicate."""

import pytest

from tests.support.devicespage import PAGE, alike, renewed

pytestmark = pytest.mark.embedded


@pytest.mark.timeout(240)
def test_the_page_of_devices_shows_what_its_commands_print() -> None:
    page = PAGE.read_text("utf-8")
    assert renewed(page) == page


SHOWN = """NAME   READY   STATUS    AGE
pod0   1/1     Running   59s
pod1   0/1     Pending   59s
export FAKE_DEVICE_0='FAKE-af9f90fc-beb1-5dd1-88fa-18883ae54242'
"""


@pytest.mark.parametrize(
    ("part", "put", "same"),
    [
        pytest.param("59s", "1m9s", True, id="age"),
        pytest.param("   59s", "       9s", True, id="width"),
        pytest.param("pod1   0/1", "pod2   0/1", True, id="which pod"),
        pytest.param("0/1", "1/1", False, id="state"),
        pytest.param("FAKE-af9f90fc", "FAKE-af9f90fd", False, id="device"),
        pytest.param("pod1   0/1     Pending   59s\n", "", False, id="missing line"),
    ],
)
def test_only_what_no_run_repeats_may_differ(part: str, put: str, same: bool) -> None:
    assert part in SHOWN
    assert (alike(SHOWN.replace(part, put)) == alike(SHOWN)) is same
