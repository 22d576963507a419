"""Reads query parameters into the options of verbs.

Pure. Source: Kubernetes API reference, query parameters of each verb; metav1.ListOptions and
DeleteOptions.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from devcluster.apiserver.deletion import DeleteOptions
from devcluster.apiserver.errors import BadRequest
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.listing import ListOptions, parse_revision
from devcluster.apiserver.selectors import Selector, selector
from devcluster.apiserver.watch import WatchOptions
from devcluster.apiserver.writes import WriteOptions

Query = Mapping[str, str]

_VALIDATIONS: Final = ("Ignore", "Warn", "Strict")
_POLICIES: Final = ("Background", "Foreground", "Orphan")
_MATCHES: Final = ("Exact", "NotOlderThan")
_WATCH_SECONDS: Final = 1800


def write_options(query: Query, warn: Callable[[str], None], subresource: str = "") -> WriteOptions:
    """Return the options of create, update and patch; `warn` takes warnings for the answer."""
    validation = query.get("fieldValidation") or "Warn"
    if validation not in _VALIDATIONS:
        raise _unsupported("fieldValidation", validation, _VALIDATIONS)
    return WriteOptions(_dry_run(query.get("dryRun")), validation, warn, subresource)


def list_options(kind: Kind, query: Query) -> ListOptions:
    """Return the options of a list."""
    match, revision = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    if match and match not in _MATCHES:
        raise _unsupported("resourceVersionMatch", match, _MATCHES)
    if match and not revision:
        raise BadRequest("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match == "Exact" and parse_revision(revision) == 0:
        raise BadRequest('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
    return ListOptions(
        selector=_selector(kind, query),
        limit=_number("limit", query.get("limit")) or 0,
        token=query.get("continue", ""),
        revision=revision,
        match=match,
    )


def watch_options(kind: Kind, query: Query) -> WatchOptions:
    """Return the options of a watch; without a timeout it lasts half an hour to an hour."""
    if query.get("sendInitialEvents"):
        raise BadRequest("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch")
    asked = _number("timeoutSeconds", query.get("timeoutSeconds"))
    chance = 1 + random.random()  # noqa: S311 - spreads reconnects
    return WatchOptions(
        selector=_selector(kind, query),
        revision=query.get("resourceVersion", ""),
        seconds=asked or _WATCH_SECONDS * chance,
        bookmarks=is_true(query.get("allowWatchBookmarks")),
    )


def delete_options(query: Query, body: Mapping[str, Any]) -> DeleteOptions:
    """Return the options of a delete: those of the body, else those of the query."""
    conditions = body.get("preconditions") or {}
    dry_run = ",".join(body.get("dryRun") or ()) or query.get("dryRun")
    policy = str(body.get("propagationPolicy") or query.get("propagationPolicy") or "")
    if body.get("orphanDependents") or is_true(query.get("orphanDependents")):
        policy = "Orphan"
    if policy and policy not in _POLICIES:
        raise _unsupported("propagationPolicy", policy, _POLICIES)
    grace = body.get("gracePeriodSeconds")
    return DeleteOptions(
        uid=str(conditions.get("uid") or ""),
        resource_version=str(conditions.get("resourceVersion") or ""),
        grace_seconds=_number(
            "gracePeriodSeconds", query.get("gracePeriodSeconds") if grace is None else grace
        ),
        propagation=policy,
        dry_run=_dry_run(dry_run),
    )


def is_true(text: str | None) -> bool:
    """Read a flag as Go does: there without a value is true."""
    return text is not None and text.lower() not in ("0", "f", "false")


def check_log_options(query: Query) -> None:
    """Raise BadRequest if a log is asked for by the times of its lines, which have none here."""
    asked = [name for name in ("sinceSeconds", "sinceTime") if query.get(name)]
    asked += ["timestamps"] if is_true(query.get("timestamps")) else []
    if asked:
        raise BadRequest(
            f"{', '.join(asked)}: the embedded cluster keeps no times of the lines of logs; leave "
            "out --since, --since-time and --timestamps"
        )


def optional_number(query: Query, name: str) -> int | None:
    """Return a whole number, None if it is not given."""
    return _number(name, query.get(name))


def _number(name: str, given: object) -> int | None:
    if given is None or given == "":
        return None
    text = str(given)
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20):
        raise BadRequest(f'{name}: Invalid value: "{text}": must be a whole number')
    return int(text)


def _selector(kind: Kind, query: Query) -> Selector | None:
    return selector(kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))


def _dry_run(given: str | None) -> bool:
    if not given:
        return False
    if given != "All":
        raise _unsupported("dryRun", given, ("All",))
    return True


def _unsupported(name: str, given: str, choices: tuple[str, ...]) -> BadRequest:
    listed = ", ".join(f'"{choice}"' for choice in choices)
    return BadRequest(f'{name}: Unsupported value: "{given}": supported values: {listed}')
