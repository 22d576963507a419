"""The order of the tests: random, but for those that look back on all others."""

import pytest

LAST = "last: looks back on what the other tests have done"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", LAST)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
