"""What the real allocator of kube-scheduler 1.37.2 said of random cases, and `allocation/` too.

`verdicts.jsonl` is recorded: `python -m tests.allocatorparity --cases 300 --record FILE`.
"""

import json
from collections import Counter
from pathlib import Path
from random import Random

from allocation.selectors import Selectors
from tests.allocatorparity.cases import digest, ours
from tests.allocatorparity.generator import Generator

RECORDED = Path(__file__).with_name("verdicts.jsonl").read_text().splitlines()


def test_recorded_verdicts_of_the_real_allocator() -> None:
    selectors, outcomes = Selectors(), Counter[str]()
    for line in RECORDED:
        recorded = json.loads(line)
        seed = int(recorded["name"].removeprefix("seed "))
        case = Generator(Random(seed)).case()
        assert digest(case) == recorded["case"], "the generator has changed: record again"
        answer = ours(case, selectors)
        outcomes[answer.outcome] += 1
        if answer.outcome != "unknown":
            expected = {key: recorded[key] for key in ("outcome", "allocations")}
            assert answer.verdict == expected, seed
    assert outcomes["unknown"] < len(RECORDED) / 20
    assert min(outcomes[each] for each in ("allocated", "refused", "invalid")) > 20
