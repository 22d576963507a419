"""The order of the tests: random, but last come those that look back, or leave no cluster."""

import pytest

LAST = "last: looks back on what the other tests have done"
REPLACES = "replaces_cluster: no other test can use the cluster afterwards"


def pytest_configure(config: pytest.Config) -> None:
    for marker in (LAST, REPLACES):
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: [_has(item, "replaces_cluster"), _has(item, "last")])


def _has(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is not None
