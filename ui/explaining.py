"""Explanations for the page: those of `fake-dra explain`, out of the caches."""

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from api.contract import Contract
from api.objects import JSON
from explain.diagnosis import Diagnosis, Overview
from explain.reading import Reading
from explain.text import alike, miss

LIBRARY = "explaining needs a library for CEL: pip install 'fake-dra-driver[explain]'"


@dataclass(slots=True)
class Explaining:
    """Explains one thing at a time, since that may take seconds of a whole processor.

    Attributes:
        reading: begins to read the cluster.
        contract: of our driver, where a controller allocates.
    """

    reading: Callable[[], Reading]
    contract: Contract
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def pod(self, namespace: str, name: str) -> JSON:
        """Explain a pod; raises as explain.run does."""
        return self._told(lambda run: run.pod(self.reading(), name, namespace, self.contract))

    def claim(self, namespace: str, name: str) -> JSON:
        """Explain a claim; raises as explain.run does."""
        return self._told(lambda run: run.claim(self.reading(), name, namespace, self.contract))

    def class_(self, name: str) -> JSON:
        """Explain a class; raises as explain.run does."""
        return self._told(lambda run: run.class_(self.reading(), name))

    def _told(self, explain: Callable[[Any], Diagnosis | Overview]) -> JSON:
        try:
            run = importlib.import_module("explain.run")
        except ImportError:
            return {"summary": LIBRARY, "fits": None}
        with self._turn:
            found = explain(run)
        return _overview(found) if isinstance(found, Overview) else _diagnosis(found)


def _diagnosis(found: Diagnosis) -> JSON:
    return {
        "fits": found.fits,
        "cause": found.cause,
        "summary": found.summary,
        "facts": list(found.facts),
        "quoted": found.quoted,
        "nodes": [[list(says), list(names)] for says, names in alike(found.nodes).items()],
        "miss": miss(found.nearest) if found.nearest else "",
        "helps": list(found.helps),
        "gates": found.gates if found.nodes else "",
        "unread": [str(each) for each in found.unread],
    }


def _overview(found: Overview) -> JSON:
    return {
        "fits": found.fits,
        "summary": found.summary,
        "facts": list(found.facts),
        "offers": [[e.where, e.devices, len(e.selected), len(e.free)] for e in found.offers],
        "unread": [str(each) for each in found.unread],
    }
