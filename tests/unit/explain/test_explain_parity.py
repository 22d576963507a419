"""What the allocator of kube-scheduler said of random cases, explain says too, with a reason."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from allocation.gates import Gates
from allocation.selectors import Selectors
from api.objects import JSON
from explain.diagnosis import Diagnosis
from explain.pods import explain_pod
from explain.seen import Features, Seen
from explain.text import as_text
from tests.allocatorparity.cases import NODE
from tests.allocatorparity.generator import Generator

RECORDED = Path(__file__).parents[1] / "allocation/verdicts.jsonl"
NOW = datetime(2026, 11, 29, tzinfo=UTC)
FITS = {"allocated": True, "refused": False, "invalid": False}


@pytest.fixture(scope="module")
def selectors() -> Selectors:
    return Selectors()


def explained(case: JSON, selectors: Selectors) -> Diagnosis:
    entries = [
        {"name": f"c{index}", "resourceClaimName": each["metadata"]["name"]}
        for index, each in enumerate(case["claims"])
    ]
    meta = {"name": "p", "namespace": "default", "uid": "p"}
    pod = {"metadata": meta, "spec": {"containers": [{}], "resourceClaims": entries}}
    node = {
        "metadata": {"name": NODE.name, "labels": NODE.labels},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    seen = Seen(
        37,
        Features(Gates.of(case["gates"]), "as the case has them"),
        NOW,
        (*case["claims"], *case["allocated"]),
        {each["metadata"]["name"]: each for each in case["classes"]},
        tuple(case["slices"]),
        (node,),
    )
    return explain_pod(pod, seen, selectors)


def test_recorded_verdicts_of_the_real_allocator(selectors: Selectors) -> None:
    told = Counter[tuple[str, bool | None]]()
    for line in RECORDED.read_text().splitlines():
        recorded = json.loads(line)
        seed = int(recorded["name"].removeprefix("seed "))
        found = explained(Generator(Random(seed)).case(), selectors)
        told[recorded["outcome"], found.fits] += 1
        if found.fits is not None:
            assert found.fits is FITS[recorded["outcome"]], (seed, found.summary)
        if found.fits is False:
            assert found.helps, (seed, as_text(found, verbose=True))
            assert all(found.helps), seed
    assert sum(number for (_, fits), number in told.items() if fits is None) < 15
