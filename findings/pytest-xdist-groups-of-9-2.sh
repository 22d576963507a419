#!/usr/bin/env bash
# With pytest 9.2 the groups of pytest-xdist hold nothing together, and nobody says so
#
# Version: pytest 9.2.0 and 9.1.1, pytest-xdist 3.8.0
#
# Expected: under `--dist loadgroup` the tests that are marked with one xdist_group run on one worker.
#
# Seen: pytest-xdist writes the group behind the id of a test by an attribute of pytest that is not
# public. pytest 9.2 computes the id and has the attribute no more; the write makes one that nobody
# reads, so every test is a group of its own. There is no error and no warning.
#   | pytest 9.1.1: 12 tests of one group on 1 worker, ids end with @cluster: True
#   | pytest 9.2.0: 12 tests of one group on 2 workers, ids end with @cluster: False
#
# Why it matters: what is grouped is what cannot be had twice, or is dear: a fixture of the session that
# starts a cluster, a port, a file. Each worker makes one now. Tests still pass, if they are careful,
# and take as many times as long as there are workers. A test can tell by the end of its own nodeid.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > test_group.py <<'PY'
import time

import pytest

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.mark.parametrize("number", range(12))
def test_one(number, worker_id, request):
    time.sleep(0.1)
    with open("seen.txt", "a") as file:
        file.write(f"{worker_id} {request.node.nodeid.endswith('@cluster')}\n")
PY

for version in 9.1.1 9.2.0; do
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install --quiet --disable-pip-version-check \
        "pytest==$version" pytest-xdist==3.8.0
    rm -f seen.txt
    "venv-$version/bin/python" -W error -m pytest -q -p no:cacheprovider -n 2 --dist loadgroup \
        test_group.py > output.txt 2>&1 || { cat output.txt; exit 1; }
    workers=$(cut -d' ' -f1 seen.txt | sort -u | wc -l)
    ends=$(cut -d' ' -f2 seen.txt | sort -u | paste -sd,)
    echo "pytest $version: $(wc -l < seen.txt) tests of one group on $workers" \
        "worker$([[ $workers == 1 ]] || echo s), ids end with @cluster: $ends"
done | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
