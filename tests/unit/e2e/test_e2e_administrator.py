from datetime import UTC, datetime, timedelta

import pytest

from api.objects import JSON
from tests.e2e.cluster.administrator import is_ready

HEARD = datetime(2024, 5, 1, 12, 0, 30, tzinfo=UTC)


def node(status: str = "True", kind: str = "Ready") -> JSON:
    other = {"type": "DiskPressure", "status": "False", "lastHeartbeatTime": "2024-05-01T12:00:00Z"}
    report = {"type": kind, "status": status, "lastHeartbeatTime": "2024-05-01T12:00:30Z"}
    return {"status": {"conditions": [other, report]}}


@pytest.mark.parametrize(
    ("seen", "ready"),
    [
        pytest.param(node(), True, id="ready"),
        pytest.param(node("False"), False, id="not ready"),
        pytest.param(node("Unknown"), False, id="not heard of"),
        pytest.param(node(kind="PIDPressure"), False, id="other conditions"),
        pytest.param({}, False, id="no status yet"),
        pytest.param(
            {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            False,
            id="without a report",
        ),
    ],
)
def test_ready(seen: JSON, ready: bool) -> None:
    assert is_ready(seen) is ready


@pytest.mark.parametrize(("later", "ready"), [(-1, True), (0, True), (1, False)])
def test_reports_from_before_do_not_count(later: int, ready: bool) -> None:
    assert is_ready(node(), since=HEARD + timedelta(seconds=later)) is ready
