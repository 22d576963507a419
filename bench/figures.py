"""What is measured, as values; `--json` writes exactly these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.statistics import Latency
from bench.variants import Variant


@dataclass(frozen=True, slots=True)
class Floor:
    """What a client reaches that makes only the unavoidable writes.

    Attributes:
        up: claims per second, allocated.
        down: claims per second, unreserved, deleted and freed.
        status_write: update of a PodSchedulingContext's status, one at a time.
        state_write: merge patch of a NAS, one at a time.
        cpu_ms: CPU time of the client per claim, up and down, in milliseconds: all writes, of
            which the benchmark makes 4 and a driver the others.
    """

    up: float
    down: float
    status_write: Latency
    state_write: Latency
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Negotiation:
    """Claims with a number of potential nodes.

    Attributes:
        variant: of the controller.
        potential: how many nodes the scheduler names for each pod.
        floor: in the same minute, on the same server, while the driver was stopped.
        ask: from the scheduler's write to the answer's arrival, one pod at a time.
        allocate: from the selected node's write to the allocation's arrival.
        free: from the deletion of an unreserved claim to its end.
        up: claims per second.
        down: claims per second.
        writes: of the driver per claim, up and down; None where nobody counts requests.
        reads: gets and lists of the driver per claim; likewise.
        requests: of the driver per claim, by `verb resource status`.
        cpu_ms: CPU time of the driver per claim, up and down, in milliseconds.
        bench_cpu_ms: of the benchmark, which has to watch and write as a scheduler does.
        first_answer: seconds from the start of the program to its first answer.
        peak_rss_mib: of the driver.
    """

    variant: Variant
    potential: int
    floor: Floor
    ask: Latency
    allocate: Latency
    free: Latency
    up: float
    down: float
    writes: float | None
    reads: float | None
    requests: Mapping[str, float]
    cpu_ms: float
    bench_cpu_ms: float
    first_answer: float
    peak_rss_mib: float


@dataclass(frozen=True, slots=True)
class Freed:
    """A pod that waits for the only device of its node.

    Attributes:
        answered: from the NAS without the former claim to an answer without the node.
        allocated: from the same moment to the allocation, with the scheduler's write in between.
    """

    answered: Latency
    allocated: Latency


@dataclass(frozen=True, slots=True)
class Gathered:
    """Claims that come to one node at the same time.

    Attributes:
        claims: so many.
        up: writes of the node's NAS for all of their allocations.
        down: likewise, until all are gone.
    """

    claims: int
    up: float
    down: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A large store.

    Attributes:
        nodes: NodeAllocationStates.
        claims: ResourceClaims that nobody negotiates.
        first_answer: seconds from the start of the program.
        rss_mib: after that.
        peak_rss_mib: the most until the end.
        ask: for 128 potential nodes.
        answer_cpu_ms: CPU time of the driver per such answer.
        cold_answer_cpu_ms: per answer about nodes that it was never asked for since its start.
        reads: gets and lists of the driver per such answer; None where nobody counts.
        event_cpu_ms: CPU time of the driver per change of a NAS that it does not care about.
    """

    nodes: int
    claims: int
    first_answer: float
    rss_mib: float
    peak_rss_mib: float
    ask: Latency
    answer_cpu_ms: float
    cold_answer_cpu_ms: float
    reads: float | None
    event_cpu_ms: float


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls over the plugin's socket, so many at the same time."""

    concurrency: int
    prepare: Latency
    unprepare: Latency


@dataclass(frozen=True, slots=True)
class Node:
    """The kubelet plugin of one node with 8 devices.

    Attributes:
        variant: of the plugin.
        calls: by concurrency.
        state_write: merge patch of a NAS of the same size, one at a time.
        state_writes: of the plugin's NAS for a prepare; None where nobody counts requests.
        cpu_ms: CPU time of the plugin per prepare and unprepare.
        first_answer: seconds from the start of the program until it answered the kubelet.
        peak_rss_mib: of the plugin.
    """

    variant: Variant
    calls: Sequence[Calls]
    state_write: Latency
    state_writes: float | None
    cpu_ms: float
    first_answer: float
    peak_rss_mib: float


@dataclass(slots=True)
class Classic:
    """One run of what concerns a driver of classic claims."""

    negotiations: list[Negotiation] = field(default_factory=list)
    freed: Freed | None = None
    gathered: Gathered | None = None
    scales: list[Scale] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a plugin.

    Attributes:
        socket: seconds until it answered the kubelet.
        slices: seconds until its devices were published.
        rss_mib: when it had nothing more to do.
    """

    socket: float
    slices: float
    rss_mib: float


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin with 8 devices, whose claims kube-scheduler allocates.

    Attributes:
        start: from the start of the program.
        calls: one at a time, and more.
        fast: of the prepares one at a time those whose GET of the claim took less than 10 ms, by
            the log of client-go; None if there were none, or it does not log them.
        cpu_ms: CPU time per call.
        reads: gets and lists of a prepare.
        writes: of a prepare, events apart.
        reads_down: gets and lists of an unprepare.
        rss_mib: after the calls.
    """

    start: Start
    calls: Sequence[Calls]
    fast: Latency | None
    cpu_ms: float
    reads: float
    writes: float
    reads_down: float
    rss_mib: float


@dataclass(frozen=True, slots=True)
class Structured:
    """One run of what concerns plugins whose claims kube-scheduler allocates.

    Attributes:
        ours: as in a pod, if it can be.
        outside: ours with a kubeconfig.
        peer: another driver; None if none was given.
        former_rss_mib: of a former version after its start, as in a pod and with a kubeconfig;
            nothing if none was given.
        unavoidable: one GET of a claim and two writes that are forced to the disk.
        grown: seconds to publish 5,000 devices.
        plain: seconds of a plain client for the same writes.
    """

    ours: Plugin
    outside: Plugin
    peer: Plugin | None
    former_rss_mib: Sequence[float]
    unavoidable: Latency
    grown: float
    plain: float


@dataclass(frozen=True, slots=True)
class Webhook:
    """What the admission webhook takes on one core.

    Attributes:
        rate: requests a second.
        review: of a claim that is refused.
        ping: of the same server at the same rate.
        cpu_ms: CPU time per review.
    """

    rate: int
    review: Latency
    ping: Latency
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Command:
    """What a command took as a whole, from its start to its end.

    Attributes:
        seconds: until it had ended.
        cpu_seconds: of its own.
        peak_rss_mib: of its own.
    """

    seconds: float
    cpu_seconds: float
    peak_rss_mib: float


@dataclass(frozen=True, slots=True)
class Explaining:
    """`fake-dra explain pod` on a large cluster; medians of several runs.

    Attributes:
        nodes: of the cluster.
        devices: of each node.
        claims: that have a device, each used by a pod.
        explain: the command.
        get: `kubectl get -o json` of the same objects.
    """

    nodes: int
    devices: int
    claims: int
    explain: Command
    get: Command


@dataclass(frozen=True, slots=True)
class Rollout:
    """Pods with one claim each that come to the embedded cluster at once.

    Attributes:
        kind: of the claims: `classic` or `structured`.
        whose: `ours`, or `former` for a former version.
        nodes: of the cluster, each with a plugin.
        pods: how many.
        ready: seconds from the start of the cluster until every node had its devices.
        ready_cpu: CPU seconds of the cluster and its programs until then.
        seconds: from the first write of a pod until all ran.
        cpu: CPU seconds of the cluster and its programs meanwhile.
    """

    kind: str
    whose: str
    nodes: int
    pods: int
    ready: float
    ready_cpu: float
    seconds: float
    cpu: float


@dataclass(slots=True)
class Figures:
    """All that was measured; parts that were not asked for are missing.

    Attributes:
        server: what was measured on.
        concurrency: claims at the same time.
        classic: runs.
        structured: runs.
        others: share of the machine that other programs used meanwhile, 0 to 1; of much more than
            a tenth, latencies and rates say little, while CPU times and requests hold.
    """

    server: str
    concurrency: int
    classic: list[Classic] = field(default_factory=list)
    structured: list[Structured] = field(default_factory=list)
    webhook: Webhook | None = None
    explaining: Explaining | None = None
    rollouts: list[Rollout] = field(default_factory=list)
    others: float = 0.0
