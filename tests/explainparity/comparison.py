"""Workloads on a cluster, and whether explain said of each pod what kube-scheduler then did."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from allocation.selectors import Selectors
from explain.advice import nearest
from explain.diagnosis import Diagnosis, NodeVerdict
from explain.podclaims import HELD_BACK
from explain.pods import explain_pod
from explain.reading import Reading
from kube.errors import Invalid
from tests.allocatorparity.generator import NODES
from tests.explainparity.mending import Scene, mended
from tests.explainparity.site import Site, Verdict
from tests.explainparity.watched import SETTLES, Unsettled
from tests.explainparity.workloads import NAMESPACE, Ask, Workload, workload

ROUNDS: Final = 6
"""How often what is named is taken away before it counts as a disagreement."""

_SILENT: Final = 2.0
"""Seconds for a verdict that is not expected."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What explain said, and what happened."""

    seed: int
    what: str
    explained: Diagnosis
    verdict: Verdict | None = None


@dataclass(slots=True)
class Comparison:
    """What came of the workloads so far.

    Attributes:
        workloads: that were run.
        not_stored: workloads that the API server refused.
        not_settled: for what the cluster was waited in vain, by seed; such a workload is not
            counted, only what was compared of it.
        allocated: pods that got a node, as explain had said.
        late: those of them that the scheduler refused first, and took when its watches had told it
            of all that there was.
        refused: pods that got none, as explain had said, by its cause.
        unknown: pods of which explain could not tell, by what the scheduler did.
        mended: pods that got a node without what was named, by how often that was needed.
        unmended: pods of which explain could not tell any more after that.
    """

    workloads: int = 0
    not_stored: int = 0
    not_settled: dict[int, str] = field(default_factory=dict)
    allocated: int = 0
    late: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    mended: Counter[int] = field(default_factory=Counter)
    unmended: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def pods(self) -> int:
        """How many verdicts of the scheduler were compared."""
        told = self.refused.total() + self.unknown.total()
        return self.allocated + told + len(self.disagreements)


@dataclass(slots=True)
class Trial:
    """Runs workloads on a cluster.

    Attributes:
        site: the cluster.
        result: what came of them.
    """

    site: Site
    result: Comparison = field(default_factory=Comparison)
    _selectors: Selectors = field(default_factory=Selectors)
    _seed: int = 0

    def run(self, seed: int) -> None:
        """Run the workload of a seed, as far as the cluster does what it has to."""
        self._seed = seed
        try:
            self._run(workload(seed))
        except Unsettled as error:
            self.result.not_settled[seed] = str(error)

    def _run(self, made: Workload) -> None:
        self.site.clear()
        try:
            self.site.publish(made)
            for ask in made.asks[:-1]:
                self._holding(ask)
            found = self._asked(made.asks[-1])
        except Invalid:
            self.result.not_stored += 1
            return
        if found is not None and found[1].fits is False:
            self._mended(*found)
        self.result.workloads += 1

    def _holding(self, ask: Ask) -> None:
        """Have a pod that holds devices, if it gets them."""
        self._asked(ask)
        name = ask.pod["metadata"]["name"]
        if not self.site.is_bound(name):
            self.site.remove(name)

    def _asked(self, ask: Ask) -> tuple[Scene, Diagnosis] | None:
        """Create a pod, and compare; return what was explained if the scheduler refuses it."""
        self.site.ask(ask)
        return self._compared(ask.pod["metadata"]["name"])

    def _compared(self, name: str) -> tuple[Scene, Diagnosis] | None:
        scene, found = self._explained(name)
        verdict = self.site.decided(name, _SILENT if found.cause in HELD_BACK else SETTLES)
        if found.fits and verdict and not verdict.node and self.site.bound(name):
            self.result.late += 1
            verdict = replace(verdict, node="late")
        self._count(found, verdict)
        return None if verdict and verdict.node else (scene, found)

    def _count(self, found: Diagnosis, verdict: Verdict | None) -> None:
        result, got = self.result, bool(verdict and verdict.node)
        if verdict is None and found.cause not in HELD_BACK:
            self._differs("the scheduler says nothing", found)
        elif found.fits is None:
            result.unknown["allocated" if got else "refused"] += 1
        elif found.fits is not got:
            self._differs("allocated" if got else "refused", found, verdict)
        elif got:
            result.allocated += 1
        elif not found.helps:
            self._differs("refused, and nothing is named", found, verdict)
        else:
            result.refused[found.cause] += 1

    def _differs(self, what: str, found: Diagnosis, verdict: Verdict | None = None) -> None:
        self.result.disagreements.append(Disagreement(self._seed, what, found, verdict))

    def _explained(self, name: str) -> tuple[Scene, Diagnosis]:
        """Explain a pod as if its gate were away, on what the API server has now."""
        reading = Reading(self.site.client, {}, lambda: datetime.now(UTC))
        version = reading.version()
        pod = reading.pod(name, NAMESPACE)
        pod["spec"].pop("schedulingGates", None)
        seen = reading.around(reading.cluster(version, NAMESPACE), version, pod)
        return Scene(pod, seen), explain_pod(pod, seen, self._selectors)

    def _mended(self, scene: Scene, found: Diagnosis) -> None:
        """Take away what is named until the pod gets a node."""
        for number in range(1, ROUNDS + 1):
            name = self.site.change(scene, mended(scene, found, _near(found)))
            if name != scene.pod["metadata"]["name"]:
                refused = self._compared(name)
                if refused is None:
                    self.result.mended[number] += 1
                    return
                scene, found = refused
            elif self.site.is_bound(name):
                self.result.mended[number] += 1
                return
            else:
                scene, found = self._explained(name)
                if found.fits is True or self.site.is_bound(name):
                    self._accepted(name, number, found)
                    return
            if found.fits is None:
                self.result.unmended += 1
                return
        self._differs(f"refused without what was named in {ROUNDS} rounds", found)

    def _accepted(self, name: str, number: int, found: Diagnosis) -> None:
        if self.site.bound(name):
            self.result.mended[number] += 1
        else:
            self._differs("without what was named it fits, but gets no node", found)


def _near(found: Diagnosis) -> NodeVerdict | None:
    """Return the node that lacks least, of those that are there for this."""
    nodes = tuple(each for each in found.nodes if each.node in NODES)
    return found.nearest if found.nearest in nodes else nearest(nodes)
