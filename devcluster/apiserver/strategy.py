"""The rules of one kind, as a value of small functions: what kube-apiserver calls a strategy.

Rules see whole objects and know neither storage nor HTTP. A `prepare` rule may change the object
that it is given, a copy that nobody else has; a `check` rule only reads. Called by
`devcluster.apiserver.writes` and `devcluster.apiserver.deletion`; kinds bring theirs from
`devcluster.apiserver.rules`.
Source: kubernetes pkg/registry/*/*/strategy.go, apiserver pkg/registry/rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from api.objects import JSON
from api.validation import subdomain
from devcluster.apiserver.fielderrors import FieldError

Prepare: TypeAlias = Callable[[JSON], None]
PrepareChange: TypeAlias = Callable[[JSON, JSON], None]
"""Takes the new object, which it may change, and the stored one."""

Check: TypeAlias = Callable[[JSON], Sequence[FieldError]]
CheckChange: TypeAlias = Callable[[JSON, JSON], Sequence[FieldError]]
"""Takes the new object and the stored one."""

Grace: TypeAlias = Callable[[JSON, int | None], int]
"""Takes the object and the seconds that the client asks for; returns how long it may take to end.

Zero deletes at once, as far as no finalizer is in the way.
"""


def _prepare_nothing(_: JSON) -> None: ...


def _change_nothing(_new: JSON, _old: JSON) -> None: ...


def _accept(_: JSON) -> Sequence[FieldError]:
    return ()


def _accept_change(_new: JSON, _old: JSON) -> Sequence[FieldError]:
    return ()


def _at_once(_obj: JSON, _asked: int | None) -> int:
    return 0


def _never(_: JSON) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """Rules of a kind; as it is, those of a kind without any of its own.

    Attributes:
        default: fills in what the client left out, on creates and updates.
        prepare_create: sets what only the server decides, as a first status.
        prepare_update: puts back what an update of the main resource must not touch.
        prepare_status: the same for an update of /status.
        check_create: of a new object, after defaults.
        check_update: of an update of the main resource.
        check_status: of an update of /status.
        check_name: returns what is wrong with a `metadata.name`, or None.
        prepare_delete: marks an object that is being deleted, as a phase.
        grace: graceful deletion.
        held: whether a deleted object stays although it has no finalizers in its metadata.
        keeps_first_status: whether a new object has the status that the client sends.
        returns_deleted: whether a deletion answers with the object instead of a Status.
    """

    default: Prepare = _prepare_nothing
    prepare_create: Prepare = _prepare_nothing
    prepare_update: PrepareChange = _change_nothing
    prepare_status: PrepareChange = _change_nothing
    check_create: Check = _accept
    check_update: CheckChange = _accept_change
    check_status: CheckChange = _accept_change
    check_name: Callable[[str], str | None] = subdomain
    prepare_delete: Prepare = _prepare_nothing
    grace: Grace = _at_once
    held: Callable[[JSON], bool] = _never
    keeps_first_status: bool = False
    returns_deleted: bool = False
