"""What comes of explaining: the cause, what each node says, and what would help."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from allocation.verdicts import Outcome, Rule
from explain.holders import Holder
from explain.seen import Unread


class Cause(StrEnum):
    """Why a pod waits, or that it doesn't."""

    FITS = "fits"
    RUNS = "runs"
    ENDED = "ended"
    NOT_DRA = "not-dra"
    GATED = "scheduling-gates"
    TEMPLATE_MISSING = "template-missing"
    CLAIM_NOT_CREATED = "claim-not-created"
    CLAIM_MISSING = "claim-missing"
    CLAIM_DELETED = "claim-deleted"
    CLAIM_OF_OTHERS = "claim-of-others"
    CLAIM_FULL = "claim-full"
    CLASS_MISSING = "class-missing"
    INVALID = "invalid"
    DEVICES = "devices"
    ELSEWHERE = "allocated-elsewhere"
    NODES = "nodes"
    NO_NODES = "no-nodes"
    BINDING_CONDITIONS = "binding-conditions"
    DRIVER = "driver"
    NOT_ALLOCATED = "not-allocated"
    NOT_RESERVED = "not-reserved"
    NO_PLUGIN = "no-plugin"
    PREPARE_FAILED = "prepare-failed"
    NOT_VISIBLE = "not-visible"
    UNKNOWN = "unknown"
    ALLOCATED = "allocated"
    LEFT = "held-by-nobody"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class DeviceRefusal:
    """A device that a request can't have.

    Attributes:
        device: `driver/pool/device`.
        holders: who has it, or has what it needs.
        unselected: whether this is why a request for all devices is not for this one.
    """

    device: str
    rule: Rule
    text: str
    oddity: str = ""
    holders: tuple[Holder, ...] = ()
    unselected: bool = False


@dataclass(frozen=True, slots=True)
class RequestVerdict:
    """What a node has for a request.

    Attributes:
        claim: `namespace/name`.
        request: its name, `request/subrequest` for an alternative.
        wanted: how many devices; None for all.
        looked: how many devices were looked at.
        refused: those that it can't have.
    """

    claim: str
    request: str
    device_class: str
    selectors: tuple[str, ...]
    wanted: int | None
    looked: int
    refused: tuple[DeviceRefusal, ...] = ()

    @property
    def selected(self) -> int:
        """How many devices there are of which a request for all needs each."""
        return self.looked - sum(each.unselected for each in self.refused)

    @property
    def obstacles(self) -> tuple[DeviceRefusal, ...]:
        """The refusals that matter: a request for all needs no device that is not selected."""
        if self.wanted is None and self.selected:
            return tuple(each for each in self.refused if not each.unselected)
        return self.refused

    @property
    def fitting(self) -> int:
        """How many devices it could have if it were alone."""
        return self.looked - len(self.refused)

    @property
    def missing(self) -> int:
        """How many devices it lacks; one if it is for all, and none is selected."""
        if self.wanted is None:
            return len(self.obstacles) if self.selected else 1
        return max(0, self.wanted - self.fitting)

    @property
    def bare(self) -> bool:
        """Whether the node has no device of the class at all."""
        return all(each.rule is Rule.CLASS_SELECTOR for each in self.refused) and not self.fitting

    @property
    def rules(self) -> Mapping[Rule, int]:
        """How many devices each rule refused, of those that matter."""
        return Counter(each.rule for each in self.obstacles)


@dataclass(frozen=True, slots=True)
class NodeVerdict:
    """Whether a pod fits on a node, and why not.

    Attributes:
        fits: None if it can't be told.
        place: reasons that have nothing to do with devices.
        elsewhere: allocated claims whose devices the node can't reach.
        outcome: of allocating what is not allocated; None if that succeeded.
        message: what allocating ended with.
        oddity: how Kubernetes differs here from what one expects.
        pools: those that nothing is allocated from, with the reason.
        constraints: what those of the claims find that can't be met, whatever is freed.
        chosen: devices that the claims would get.
        enough: those that would meet the constraints of the claims if nobody had them.
        crowded: whether the devices would not do for all requests either if nobody had any.
    """

    node: str
    fits: bool | None
    place: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    outcome: Outcome | None = None
    message: str = ""
    oddity: str = ""
    rule: Rule | None = None
    pools: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    requests: tuple[RequestVerdict, ...] = ()
    chosen: tuple[str, ...] = ()
    enough: tuple[str, ...] = ()
    crowded: bool = False

    @property
    def short(self) -> tuple[RequestVerdict, ...]:
        """The requests that lack devices, of alternatives the one that lacks least."""
        by_request: dict[tuple[str, str], list[RequestVerdict]] = {}
        for each in self.requests:
            by_request.setdefault((each.claim, each.request.partition("/")[0]), []).append(each)
        least = (min(found, key=lambda each: each.missing) for found in by_request.values())
        return tuple(each for each in least if each.missing)

    @property
    def distance(self) -> tuple[bool, bool, int, int, int, int]:
        """What the nearest miss has least of; of devices that somebody holds it has most."""
        unusable = self.outcome not in (None, Outcome.REFUSED)
        bare = sum(each.bare for each in self.short)
        missing = sum(each.missing for each in self.short)
        held = sum(bool(device.holders) for each in self.requests for device in each.refused)
        return bool(self.elsewhere), unusable, bare, missing, -held, len(self.place)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why something waits.

    Attributes:
        subject: what is explained, such as `pod default/x`.
        fits: whether it can go on now; None if it can't be told.
        summary: the cause in a sentence.
        facts: what else there is to know.
        quoted: what Kubernetes itself says.
        nearest: the node that lacks least.
        helps: what would help, each by itself or with the others of a node.
        gates: which feature gates were taken, and who says so.
    """

    subject: str
    cause: Cause
    fits: bool | None
    summary: str
    facts: tuple[str, ...] = ()
    quoted: str = ""
    nodes: tuple[NodeVerdict, ...] = ()
    nearest: NodeVerdict | None = None
    helps: tuple[str, ...] = ()
    gates: str = ""
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """Devices of a place: a node, or a pool.

    Attributes:
        devices: how many there are.
        selected: `driver/pool/device` of those in question.
        free: those of them that a claim can have.
    """

    where: str
    devices: int
    selected: tuple[str, ...]
    free: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is of devices, of a class, a node, or as a selector has it.

    Attributes:
        fits: whether there is a device that a claim can have; None if it can't be told.
    """

    subject: str
    fits: bool | None
    summary: str
    facts: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    unread: tuple[Unread, ...] = ()
