from datetime import UTC, datetime, timedelta

import pytest

from api.objects import JSON
from tests.e2e.cluster.administrator import is_ready
from tests.support.tables import cases

HEARD = datetime(2024, 5, 1, 12, 0, 30, tzinfo=UTC)


def node(status: str = "True", kind: str = "Ready") -> JSON:
    other = {"type": "DiskPressure", "status": "False", "lastHeartbeatTime": "2024-05-01T12:00:00Z"}
    report = {"type": kind, "status": status, "lastHeartbeatTime": "2024-05-01T12:00:30Z"}
    return {"status": {"conditions": [other, report]}}


@cases(
    ("seen", "ready"),
    {
        "ready": (node(), True),
        "not ready": (node("False"), False),
        "not heard of": (node("Unknown"), False),
        "other conditions": (node(kind="PIDPressure"), False),
        "no status yet": ({}, False),
        "without a report": (
            {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            False,
        ),
    },
)
def test_ready(seen: JSON, ready: bool) -> None:
    assert is_ready(seen) is ready


@pytest.mark.parametrize(("later", "ready"), [(-1, True), (0, True), (1, False)])
def test_reports_from_before_do_not_count(later: int, ready: bool) -> None:
    assert is_ready(node(), since=HEARD + timedelta(seconds=later)) is ready
