"""The cases of upstream's own tests: recorded where they run, in a copy of the module.

Nothing of them is kept: a recorder takes the place of the test that runs them.
"""

import json
import os
import shutil
from pathlib import Path
from subprocess import run
from typing import Final
from uuid import UUID

from api.objects import JSON
from tests.allocatorparity.cases import FEATURES, HERE

MODULE: Final = "k8s.io/dynamic-resource-allocation"
PACKAGE: Final = "structured/internal/incubating"


def recorded(scratch: Path) -> tuple[list[JSON], list[str]]:
    """Return upstream's cases, and the names of those that need what we have not.

    Args:
        scratch: directory for the copy of the module; what is there goes.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    directory = _output(["go", "list", "-m", "-f", "{{.Dir}}", MODULE], HERE).strip()
    shutil.copytree(directory, scratch, copy_function=shutil.copyfile)
    for each in (scratch, *scratch.rglob("*/")):
        each.chmod(0o755)
    test = scratch / PACKAGE / "allocator_test.go"
    shutil.copyfile(HERE / "testdata" / "record_test.go", test)
    record = scratch / "cases.jsonl"
    told = _output(
        ["go", "test", "-run", "TestAllocator", "-v", f"./{PACKAGE}"], scratch, RECORD=str(record)
    )
    skipped = [line.split()[2] for line in told.splitlines() if "--- SKIP" in line]
    return [_case(json.loads(line)) for line in record.read_text().splitlines()], skipped


def _case(given: JSON) -> JSON:
    return {
        "gates": {gate: bool(given["features"][name]) for gate, name in FEATURES.items()},
        "node": given["node"],
        "slices": given["slices"] or [],
        "classes": given["classes"] or [],
        "allocated": [_holder(given)],
        "claims": given["claims"] or [],
    }


def _holder(given: JSON) -> JSON:
    """Return a claim that holds what is held."""
    results = [_result(each) for each in given["held"] or ()]
    shared = dict.fromkeys([*(given["shared"] or ()), *given["consumed"]])
    for number, each in enumerate(shared):
        share = {"shareID": str(UUID(int=number)), "consumedCapacity": given["consumed"].get(each)}
        results.append({**_result(each), **{key: value for key, value in share.items() if value}})
    status = {"allocation": {"devices": {"results": results}}}
    return {"metadata": {"name": "holder", "namespace": "default"}, "status": status}


def _result(device: str) -> JSON:
    driver, _, rest = device.partition("/")
    pool, _, name = rest.rpartition("/")
    return {"request": "r", "driver": driver, "pool": pool, "device": name}


def _output(command: list[str], directory: Path, **environment: str) -> str:
    done = run(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout
