"""Writes what a driver shows of a claim's devices, however the claim's parameters were sent.

The API server compares opaque parameters byte by byte with what the creator of the claim sent. A
patch passes if they had no white space and no character that Go's JSON escapes. Otherwise only the
whole object passes, with the texts as they were sent. What is needed is remembered by claim.
Nothing else of a driver depends on it: what the API server refuses is told and not raised.
Source: kubernetes pkg/registry/resource/resourceclaim/strategy.go; behaviour seen on 1.37.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from api.claims.versions import CLAIMS, read_claim
from api.claims.view import ClaimView, Result, with_status
from api.errors import DriverError
from api.objects import JSON, ClaimUID
from api.rawjson import encoded
from api.times import timestamp
from dra.claims import ClaimReader, ClaimRef
from dra.driver import PublishStatus
from dra.errors import InvalidDeviceStatus, NotForThisNode
from dra.publish.status import entries, senttexts
from dra.publish.status.told import Refusal, Told
from kube.client import Client
from kube.errors import Conflict, Forbidden, Invalid, NotFound
from kube.lru import LRU

_TRIES: Final = 5
_REMEMBERED: Final = 4096
_RESOURCES: Final = {each.api_version: each for each in CLAIMS.values()}


class _Refused(Exception):
    """The API server does not store a status."""

    def __init__(self, refusal: Refusal, why: str) -> None:
        super().__init__(why)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class _Means:
    writer: "_Writer"
    claims: ClaimReader
    driver: str
    told: Told
    now: Callable[[], float]


class StatusPublisher:
    """Makes the `publish_status` of claims; thread-safe."""

    def __init__(
        self,
        server: Client,
        claims: ClaimReader,
        driver: str,
        told: Told,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Publish what a driver shows.

        Args:
            server: the API server.
            claims: reads claims after a conflict.
            driver: its name.
            told: hears what goes wrong.
            now: seconds since 1970.
        """
        self._means = _Means(_Writer(server, driver), claims, driver, told, now)

    def of(self, claim: ClaimView) -> PublishStatus:
        """Return what shows the devices of a claim, as it was just read; it may be kept."""
        return _ClaimStatus(claim, self._means)


class _ClaimStatus:
    """A PublishStatus. Every write starts from what the last one stored."""

    def __init__(self, claim: ClaimView, means: _Means) -> None:
        self._claim = claim
        self._means = means
        self._results = claim.results(means.driver)
        self._gone = False
        self._lock = threading.Lock()

    def __call__(
        self,
        device: Result,
        *,
        conditions: Sequence[JSON] = (),
        data: JSON | None = None,
        network: JSON | None = None,
    ) -> None:
        """Replace what this driver shows of the device; others' entries stay.

        Raises:
            InvalidDeviceStatus: it is no device of the claim, or not what the API allows.
        """
        wanted = entries.shown(self._means.driver, device, conditions, data, network)
        with self._lock:
            if not entries.is_allocated(self._claim, wanted):
                self._check(device)
            elif not self._gone and not self._means.told.silent(self._claim.uid):
                self._publish(wanted)

    def _check(self, device: Result) -> None:
        known = [(each.pool, each.device, each.share_id) for each in self._results]
        if (device.pool, device.device, device.share_id) not in known:
            raise InvalidDeviceStatus(
                f"device {device.pool}/{device.device} is not allocated to ResourceClaim "
                f"{self._claim.namespace}/{self._claim.name}; pass one of the claim's results"
            )

    def _publish(self, wanted: entries.Shown) -> None:
        try:
            self._persist(wanted)
        except NotForThisNode:
            self._gone = True
        except _Refused as error:
            self._means.told.refused(self._claim, error.refusal, str(error))
        except DriverError as error:
            self._means.told.failed(self._claim, error)

    def _persist(self, wanted: entries.Shown) -> None:
        """Write, from a newer claim after each conflict."""
        for tries_left in reversed(range(_TRIES)):
            edit = entries.edit(self._claim.raw, wanted, timestamp(self._means.now()))
            if edit is None or not entries.is_allocated(self._claim, wanted):
                return
            try:
                stored = self._means.writer.write(self._claim, edit)
            except (Conflict, NotFound):
                if not tries_left:
                    raise
                self._claim = self._read()
            else:
                self._claim = read_claim(stored)
                self._check_stored(edit)
                return

    def _check_stored(self, edit: entries.Edit) -> None:
        if edit.entry is not None and not entries.devices_of(self._claim.raw):
            raise _Refused(Refusal.NOT_STORED, "the API server has dropped status.devices")
        self._means.told.written()

    def _read(self) -> ClaimView:
        known = self._claim
        read = self._means.claims.read(ClaimRef(known.namespace, known.name, known.uid))
        if read.uid != known.uid:
            raise NotForThisNode(f"ResourceClaim {known.namespace}/{known.name} was made anew")
        return read


class _Writer:
    """Finds out how each claim can be written."""

    def __init__(self, server: Client, driver: str) -> None:
        self._server = server
        self._driver = driver
        self._verbatim = LRU[ClaimUID, bool](_REMEMBERED)

    def write(self, claim: ClaimView, edit: entries.Edit) -> JSON:
        """Return the claim as it was stored.

        Raises:
            _Refused: it was not, and will not be.
            KubeError: it was not.
        """
        try:
            if claim.uid in self._verbatim:
                return self._replace(claim, edit)
            return self._patch(claim, edit)
        except Forbidden as error:
            raise _Refused(Refusal.FORBIDDEN, str(error)) from error
        except Invalid as error:
            raise _Refused(_refusal(error), str(error)) from error

    def _patch(self, claim: ClaimView, edit: entries.Edit) -> JSON:
        try:
            return self._server.patch(
                _RESOURCES[claim.raw["apiVersion"]],
                claim.name,
                edit.patch(claim.raw),
                namespace=claim.namespace,
                subresource="status",
            )
        except Invalid as error:
            if not _may_pass_verbatim(_refusal(error), claim, self._driver):
                raise
        stored = self._replace(claim, edit)
        self._verbatim.setdefault(claim.uid, lambda: True)
        return stored

    def _replace(self, claim: ClaimView, edit: entries.Edit) -> JSON:
        resource = _RESOURCES[claim.raw["apiVersion"]]
        read = self._server.get_protobuf(resource, claim.name, claim.namespace)
        sent = senttexts.with_texts(claim.raw, senttexts.read(read))
        body, verbatim = (
            with_status(each, devices=edit.applied(entries.devices_of(each)) or None)
            for each in (claim.raw, sent)
        )
        return self._server.update_verbatim(resource, body, encoded(verbatim), subresource="status")


def _refusal(error: Invalid) -> Refusal:
    """Return what a 422 is about.

    Where permissions are checked by field, a changed text of the allocation is one that is missing.
    """
    causes = error.details.get("causes") or ()
    fields = [(str(cause.get("field") or ""), cause.get("reason")) for cause in causes]
    if any(field.startswith(("spec", "status.allocation")) for field, _ in fields):
        return Refusal.UNPUBLISHABLE
    if any(reason == "FieldValueForbidden" for _, reason in fields):
        return Refusal.FORBIDDEN_DEVICE
    return Refusal.INVALID


def _may_pass_verbatim(refusal: Refusal, claim: ClaimView, driver: str) -> bool:
    """Tell whether a refused patch may have changed nothing but the white space of a text.

    The data of another driver is such a text, which that driver alone has permission to change.
    """
    others = (each for each in entries.devices_of(claim.raw) if each.get("driver") != driver)
    return refusal is Refusal.UNPUBLISHABLE or (
        refusal is Refusal.FORBIDDEN_DEVICE and any("data" in each for each in others)
    )
