"""Unprepares claims that nobody will ever unprepare.

A kubelet that dies between our answer and its own checkpoint never sends the unprepare, and a
machine that was down misses what happened to its pods. So prepared claims are compared with the
ResourceClaims now and then. Only a clear answer counts: while the API server is away nothing is
collected. Called by `dra.sync`.
Source: kubernetes pkg/kubelet/cm/dra/manager.go; the checkpoint follows the plugin's answer.
"""

from collections.abc import Callable

from api.claims.view import ClaimView
from api.errors import DriverError
from api.objects import NodeName
from dra.claims import ClaimReader, ClaimRef, verify
from dra.devicestate.prepared import CheckpointEntry
from dra.devicestate.state import State
from dra.driver import PreparedClaim
from dra.errors import NodeError, NotForThisNode
from dra.metrics import PluginMetrics
from dra.repairs import Repair, Report
from kube.errors import KubeError
from ops.logs import get_logger

_LOG = get_logger("garbage")


class Collector:
    """Compares prepared claims with the API server."""

    def __init__(
        self,
        state: State,
        discard: Callable[[CheckpointEntry], bool],
        claims: ClaimReader,
        node: NodeName,
        driver_name: str,
        metrics: PluginMetrics,
        report: Report,
    ) -> None:
        """Collect from `state` what `claims` says is not for `node` any more, and report it.

        What is collected is given to `discard`, which tells whether it was unprepared.
        """
        self._discard = discard
        self._state = state
        self._claims = claims
        self._node = node
        self._driver_name = driver_name
        self._metrics = metrics
        self._report = report

    def collect(self) -> None:
        """Unprepare every claim that is gone, deallocated, or allocated elsewhere.

        Raises:
            DriverError: a claim that has to go could not be unprepared; the others are.
        """
        failed: DriverError | None = None
        for entry in self._state.entries():
            try:
                self._collect(entry)
            except DriverError as error:
                failed = error
        if failed is not None:
            raise failed

    def _collect(self, entry: CheckpointEntry) -> None:
        reason = self._why_stale(entry.claim)
        if reason is not None and self._discard(entry):
            self._metrics.collected()
            text = f"{entry.claim} was unprepared without the kubelet: {reason}"
            self._report(Repair.STALE_CLAIM, text)

    def _why_stale(self, claim: PreparedClaim) -> NotForThisNode | None:
        if not claim.name:
            return None
        ref = ClaimRef(claim.namespace, claim.name, claim.uid)
        try:
            read = self._claims.read(ref)
            if not _forgotten(read, ref):
                verify(read, ref, self._node, self._driver_name)
        except NotForThisNode as error:
            return error
        except (KubeError, NodeError) as error:
            _LOG.debug("Cannot tell whether a prepared claim is stale", err=str(error))
        return None


def _forgotten(claim: ClaimView, ref: ClaimRef) -> bool:
    """Tell whether pods use a claim of which an upgraded API server forgot what it has.

    From 1.32 on it does not know any more what drivers with a controller allocated; what they use
    stays prepared until they have ended.
    """
    allocation = claim.allocation
    same = claim.uid == ref.uid and bool(claim.reserved_for)
    return same and allocation is not None and not (allocation.entries or allocation.drivers)
