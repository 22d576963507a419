"""Finds out where the API server stores counters, by asking: nothing is stored by that.

Which versions it serves does not tell, as 1.34 and 1.35 serve the same. Asked before anything is
published: devices whose counters are dropped could be given out together with what they overlap.
"""

from collections.abc import Callable
from typing import TypeAlias

from api.objects import JSON
from dra.publish.slices.features import COUNTERS
from dra.publish.slices.layout import Offer, Style, contents
from dra.publish.slices.plan import Identity, names
from dra.publish.slices.server import SliceServer
from kube.errors import Invalid

Compare: TypeAlias = Callable[[JSON, JSON], frozenset[str]]
"""Tells of fields that were sent and are not stored, and returns their names."""


def ask(server: SliceServer, identity: Identity, offer: Offer, compare: Compare) -> Style:
    """Return how an offer with counters can be published.

    Raises:
        Invalid: the API server refuses it in every form.
        KubeError: the API server does not answer.
    """
    try:
        apart = _stores(server, _probe(identity, offer, Style.APART), compare)
        return Style.APART if apart else Style.NONE
    except Invalid as error:
        try:
            together = _stores(server, _probe(identity, offer, Style.TOGETHER), compare)
        except Invalid:
            raise error from None
        return Style.TOGETHER if together else Style.NONE


def _stores(server: SliceServer, body: JSON, compare: Compare) -> bool:
    return not compare(body, server.create(body, dry_run=True)) & COUNTERS


def _probe(identity: Identity, offer: Offer, style: Style) -> JSON:
    """Return a slice with counters, as it would be published."""
    content = next(x for x in contents(offer, style) if _counted(x))
    if style is Style.APART:
        # 1.33 and 1.34 refuse devices without their sets, and take sets without devices
        content = {**content, "devices": [next(filter(_consumes, content["devices"]))]}
    pool = {"name": identity.pool, "generation": 1, "resourceSliceCount": 1}
    meta = {
        "generateName": names(identity, 0, 0, ())["generateName"],
        "ownerReferences": [identity.owner],
    }
    return {"metadata": meta, "spec": {"driver": identity.driver, "pool": pool, **content}}


def _counted(content: JSON) -> bool:
    return any(map(_consumes, content.get("devices") or []))


def _consumes(device: JSON) -> bool:
    return "consumesCounters" in device
