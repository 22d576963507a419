"""docs/security.md lists just the rights that the chart gives."""

import re
from pathlib import Path

from tests.unit.deploy.test_deploy_rights import RIGHTS

_ROW = re.compile(r"^\| (\w+) \| ((?:Cluster)?Role [^|]+) \| ([a-z, ]+) \| [^|]+ \|$", re.MULTILINE)


def test_the_table_of_rights_is_that_of_the_chart(root: Path) -> None:
    rows = _ROW.findall((root / "docs" / "security.md").read_text(encoding="utf-8"))
    listed = {(component, right, frozenset(verbs.split(", "))) for component, right, verbs in rows}
    given = {
        (c, right, frozenset(v)) for c, rights in RIGHTS.items() for right, v in rights.items()
    }
    assert listed == given
    assert len(rows) == len(listed)
