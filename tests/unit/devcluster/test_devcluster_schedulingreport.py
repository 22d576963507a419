"""What users read about a pod without a node."""

from api.objects import JSON
from api.pods import Pod
from devcluster.schedulingreport import with_unscheduled
from tests.support.build import pod
from tests.support.tables import cases

READY = {"type": "Ready", "status": "False"}
TIME = "1970-01-01T00:16:40Z"


def condition(message: str = "why", status: str = "False", since: str = TIME) -> JSON:
    return {
        "type": "PodScheduled",
        "status": status,
        "reason": "Unschedulable",
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": since,
    }


@cases(
    ("before", "after"),
    {
        "first": ([], [condition()]),
        "keeps-others": ([READY], [READY, condition()]),
        "unchanged": ([condition()], None),
        "new-reason": ([condition("other", since="before")], [condition(since="before")]),
        "transition": ([condition(status="True", since="before")], [condition()]),
        "no-time-yet": ([condition("other", since="")], [condition()]),
    },
)
def test_with_unscheduled(before: list[JSON], after: list[JSON] | None) -> None:
    given = Pod({**pod(), "status": {"conditions": before}})
    assert with_unscheduled(given, "Unschedulable", "why", 1000.0) == after


def test_pod_without_a_status() -> None:
    assert with_unscheduled(Pod(pod()), "Unschedulable", "why", 1000.0) == [condition()]
