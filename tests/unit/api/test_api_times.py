"""Points in time as the Kubernetes API writes them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.times import micro_time, parse_time, timestamp

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC).timestamp()


def test_a_time_is_in_whole_seconds_and_a_micro_time_is_not() -> None:
    assert timestamp(AT) == "2026-01-02T03:04:05Z"
    assert micro_time(AT) == "2026-01-02T03:04:05.678901Z"


@given(at=st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_what_is_written_is_read(at: datetime) -> None:
    assert parse_time(micro_time(at.timestamp())) == at
    assert parse_time(timestamp(at.timestamp())) == at.replace(microsecond=0)


@pytest.mark.parametrize(
    "text", [None, "", 3, "yesterday", "2026-01-02T03:04:05"], ids=["absent", *"abcd"]
)
def test_what_is_no_time_with_a_zone_is_none(text: object) -> None:
    assert parse_time(text) is None
