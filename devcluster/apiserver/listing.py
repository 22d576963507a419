"""Lists: which objects, of which revision, page by page.

Pages of one list show one revision, rebuilt from the history; a token remembers it. Used by
`devcluster.apiserver.store`.
Source: Kubernetes API concepts, "Resource versions" and "Retrieving large results sets in chunks".
"""

import base64
import json
from dataclasses import dataclass

from devcluster.apiserver.errors import BadRequest, Expired, TooLargeVersion
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.selectors import Selector
from devcluster.apiserver.storage import HistoryLost, Storage, Stored

_PLACE = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What to list.

    Attributes:
        selector: None for all objects.
        limit: of objects in a page; 0 for no pages.
        token: `continue` of the page before.
        revision: `resourceVersion`; empty or `0` is the current one.
        match: `resourceVersionMatch`.
    """

    selector: Selector | None = None
    limit: int = 0
    token: str = ""
    revision: str = ""
    match: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        token: for the next page; empty on the last.
        remaining: how many objects follow, None if not counted.
    """

    items: tuple[Stored, ...]
    revision: int
    token: str = ""
    remaining: int | None = None


def list_page(storage: Storage, kind: Kind, namespace: str, options: ListOptions) -> Page:
    """Return one page of the objects of a kind.

    Raises:
        BadRequest: revision or token are malformed.
        Expired: they are too old.
        TooLargeVersion: the revision was never given out.
    """
    after, at = _decode(options.token) if options.token else (None, _exact(storage, options))
    try:
        objects, revision = storage.snapshot(kind.resource_id, namespace, at)
    except HistoryLost as error:
        raise Expired(_too_old(options)) from error
    left = [stored for stored in objects if after is None or _place(stored) > after]
    if options.selector is not None:
        left = [stored for stored in left if options.selector(stored.obj)]
    return _cut(left, revision, options)


def parse_revision(text: str) -> int:
    """Return a resourceVersion as a number; empty is 0.

    Raises:
        BadRequest: it is none.
    """
    if text and not (text.isascii() and text.isdigit()):
        raise BadRequest(f'resourceVersion: Invalid value: "{text}": must be a whole number')
    return int(text or "0")


def too_large(revision: int, current: int) -> TooLargeVersion:
    """Return the answer to a list of the future."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return TooLargeVersion(
        f"Too large resource version: {revision}, current: {current}",
        {"causes": [cause], "retryAfterSeconds": 1},
    )


def _exact(storage: Storage, options: ListOptions) -> int | None:
    """Return the revision to go back to, None for the current one."""
    revision, current = parse_revision(options.revision), storage.revision
    if revision > current:
        raise too_large(revision, current)
    exact = options.match == "Exact" or (options.limit > 0 and not options.match)
    return revision if revision and exact else None


def _cut(objects: list[Stored], revision: int, options: ListOptions) -> Page:
    if not options.limit or len(objects) <= options.limit:
        return Page(tuple(objects), revision)
    items = tuple(objects[: options.limit])
    rest = len(objects) - options.limit if options.selector is None else None
    return Page(items, revision, _encode(_place(items[-1]), revision), rest)


def _place(stored: Stored) -> _PLACE:
    meta = stored.obj["metadata"]
    return (meta.get("namespace", ""), meta["name"])


def _encode(place: _PLACE, revision: int) -> str:
    data = {"v": "meta.k8s.io/v1", "rv": revision, "start": list(place)}
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


def _decode(token: str) -> tuple[_PLACE, int]:
    try:
        data = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = data["start"]
        return (str(namespace), str(name)), int(data["rv"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest("continue key is not valid") from error


def _too_old(options: ListOptions) -> str:
    if not options.token:
        return "The resourceVersion for the provided list is too old."
    return (
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter."
    )
