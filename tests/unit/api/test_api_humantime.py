"""Ages as kubectl prints them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.humantime import age, human_duration
from api.times import parse_time

NOW = datetime(2024, 5, 6, 12, 0, 0, tzinfo=UTC)
HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (403, "6m43s"),
        (600, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 61, "3h1m"),
        (8 * HOUR + 61, "8h"),
        (2 * DAY, "2d"),
        (2 * DAY + 5 * HOUR, "2d5h"),
        (9 * DAY + 5 * HOUR, "9d"),
        (2 * 365 * DAY, "2y"),
        (3 * 365 * DAY + 40 * DAY, "3y40d"),
        (8 * 365 * DAY + 40 * DAY, "8y"),
    ],
)
def test_human_duration(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "<unknown>"),
        ("", "<unknown>"),
        ("2024-05-06T11:59:00Z", "60s"),
        ("2024-05-06T13:59:00+02:00", "60s"),
        ("2024-05-06T11:59:59.900000Z", "0s"),
        ("2024-05-06T12:30:00Z", "<invalid>"),
        ("2024-05-06T11:59:00", "<invalid>"),
        ("yesterday", "<invalid>"),
        (5, "<invalid>"),
    ],
    ids=["none", "empty", "utc", "zone", "micro", "future", "no-zone", "text", "number"],
)
def test_age(text: object, said: str) -> None:
    assert age(text, NOW) == said


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1980, 1, 1)))
def test_times_survive_the_wire(time: datetime) -> None:
    assert parse_time(time.isoformat()) == time
    assert age((NOW - timedelta(hours=9)).isoformat(), NOW) == "9h"
