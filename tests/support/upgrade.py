"""A control plane that is upgraded below what it has stored: two API servers over one storage."""

from collections.abc import Callable, Iterable
from typing import Any

from api.objects import JSON
from api.resources import DRA_V1ALPHA3, STRUCTURED_VERSIONS
from devcluster.apiserver.resourceapi import structured
from testing.apiserver import MemoryApi

_CLASSIC_FIELDS = frozenset({"controller", "suitableNodes"})


def upgraded(old: MemoryApi, minor: int = 32) -> MemoryApi:
    """Return the API server of a newer minor over the objects of one of 1.31.

    It reads what was stored as v1alpha3, without the fields that classic claims and classes had.
    """
    new, known = (
        MemoryApi(api=structured(minor), over=old),
        STRUCTURED_VERSIONS["v1beta1"],
    )
    for before, after in (
        (DRA_V1ALPHA3.claims, known.claims),
        (DRA_V1ALPHA3.templates, known.templates),
        (DRA_V1ALPHA3.classes, known.classes),
    ):
        for obj in old.all(before):
            new.put(after, {**_without(obj), "metadata": obj["metadata"]})
    return new


class Upgradable:
    """The web application of the server that there is now; to be served as one.

    Attributes:
        api: that server.
        watched: plurals of what was watched.
        written: plurals of what was written.
    """

    def __init__(self, api: MemoryApi) -> None:
        self.api = api
        self.watched: set[str] = set()
        self.written: set[str] = set()

    def __call__(self, environ: JSON, start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        last = environ["PATH_INFO"].rpartition("/")[2]
        if "watch=" in environ["QUERY_STRING"]:
            self.watched.add(last)
        if environ["REQUEST_METHOD"] != "GET":
            self.written.add(last)
        return self.api.app(environ, start)

    def become(self, api: MemoryApi) -> None:
        """Let another server answer from now on."""
        self.api.end_watches()
        self.api = api


def _without(obj: Any) -> Any:
    if isinstance(obj, list):
        return [_without(each) for each in obj]
    if isinstance(obj, dict):
        return {name: _without(each) for name, each in obj.items() if name not in _CLASSIC_FIELDS}
    return obj
