"""Tells which tests came near their time limit, before a busy machine makes them fail."""

from collections.abc import Generator

import pytest

SHARE = 5
"""A test should be done in a fifth of its limit."""

_LIMIT = "limit"


class Limits:
    """A plugin of pytest; under xdist the workers send their limits with the reports."""

    def __init__(self, default: float) -> None:
        """Take `default` seconds for tests without a limit of their own; 0 is none."""
        self._default = default

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note the limit of a test in its report."""
        report = yield
        marker = item.get_closest_marker("timeout")
        report.user_properties.append((_LIMIT, marker.args[0] if marker else self._default))
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the tests that took more than their share."""
        done = [
            report
            for outcome in ("passed", "failed")
            for report in terminalreporter.getreports(outcome)
            if isinstance(report, pytest.TestReport)
        ]
        for line in sorted(filter(None, map(near_limit, done))):
            terminalreporter.write_line(line, yellow=True)


def near_limit(report: pytest.TestReport) -> str | None:
    """Return what to say of a phase of a test, None if it was quick enough."""
    limit = float(dict(report.user_properties).get(_LIMIT) or 0)
    if not limit or report.duration * SHARE <= limit:
        return None
    return f"near its limit of {limit:.0f} s: {report.nodeid} {report.when} {report.duration:.1f} s"
