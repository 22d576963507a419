"""What a container sees of the claims that meet in it."""

import re

import pytest

from demo.expect import prepared_on
from testing.waiting import until
from tests.support.manifests import PRINT_AND_END, ClaimRequest, container, pod
from tests.support.space import Space

pytestmark = pytest.mark.timeout(180)

_OF_CLAIMS = re.compile(r"""\b(FAKE_CLAIMUID_\w+)=['"]?([\w.-]+)""")


def test_template_claim_and_named_claim_of_one_name_are_both_seen_after_each_restart(
    space: Space,
) -> None:
    space.apply(*space.claim("gpu", ClaimRequest(count=2)), *space.template("one"))
    uses = [
        space.cluster.shapes.use("gpu", template="one"),
        space.cluster.shapes.use("shared", claim="gpu"),
    ]
    both = container(uses=["gpu", "shared"], command=PRINT_AND_END)
    space.apply(pod(space.name, "both", uses, containers=[both]))
    until("second start of the container", lambda: _restarts(space, "both") > 0, 60)
    wanted = _wanted(space)
    assert len(wanted) == 2 + len(["gpu", "gpu", "one"])
    for run in ([], ["--previous"]):
        seen = until("environment", lambda run=run: _seen(space, *run))
        assert seen == wanted


def _seen(space: Space, *run: str) -> dict[str, str]:
    """Return the variables that a container has printed, none while its log is not there."""
    return dict(_OF_CLAIMS.findall(space.run("logs", "both", *run)))


def _wanted(space: Space) -> dict[str, str]:
    """Return the variables that the claims of the namespace have to be found by."""
    prepared = {uid: devices for s in space.states() for uid, devices in prepared_on(s).items()}
    wanted = {}
    for claim in space.claims():
        meta = claim["metadata"]
        own = f"FAKE_CLAIMUID_{meta['uid'].replace('-', '_').upper()}"
        wanted[f"{own}_NAME"] = meta["name"]
        wanted |= {f"{own}_{n}": device.id for n, device in enumerate(prepared[meta["uid"]])}
    return wanted


def _restarts(space: Space, name: str) -> int:
    statuses = space.get("pod", name)["status"].get("containerStatuses") or [{}]
    return int(statuses[0].get("restartCount", 0))
