"""What explain says of random pods, and what the scheduler of the embedded cluster then does.

`python -m tests.explainparity` does the same at length, and on any cluster.
"""

from collections.abc import Iterator

import pytest

from tests.explainparity.__main__ import compare, described, embedded, trial
from tests.explainparity.comparison import Trial

WORKLOADS = 12
pytestmark = [pytest.mark.embedded, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def it() -> Iterator[Trial]:
    with embedded() as kubeconfig, trial(kubeconfig) as found:
        yield found


def test_whoever_fits_gets_a_node_and_nobody_else_before_what_is_named_is_gone(it: Trial) -> None:
    compare(it, WORKLOADS, 1)
    found = it.result
    assert found.workloads == WORKLOADS
    assert not found.disagreements, "\n".join(map(described, found.disagreements))
    assert found.allocated > WORKLOADS
    assert found.refused["devices"] > WORKLOADS
    assert found.mended.total() > WORKLOADS / 2
