"""Comparing explain with kube-scheduler on a cluster that is out of order."""

from testing.apiserver import MemoryApi
from tests.explainparity.__main__ import MOST_UNSETTLED, compare, report
from tests.explainparity.comparison import Trial
from tests.explainparity.site import Site
from tests.explainparity.watched import Unsettled


class SickSite(Site):
    """A cluster that never is what was waited for."""

    def clear(self) -> None:
        raise Unsettled("waited 60 s for an empty namespace")


def test_seed_that_does_not_settle_is_told_and_others_are_tried() -> None:
    it = Trial(SickSite(MemoryApi()))
    last = compare(it, 300, 7)
    assert last == 6 + MOST_UNSETTLED
    lines = list(report(it.result, "cluster", 7, last))
    at = lines.index("- 10 more on which the cluster did not settle")
    assert lines[at + 1] == "  - seed 7: waited 60 s for an empty namespace"
    assert len(lines[at + 1 :]) == MOST_UNSETTLED
