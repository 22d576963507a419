"""What the API server writes down of requests: which drivers sent, and since when it might.

Of requests of drivers' service accounts, and of roles and bindings that come and go, everything
but the contents.
Source: Kubernetes documentation, "Auditing"; audit.k8s.io/v1.
"""

import json
from typing import Final

from api.objects import JSON
from tests.e2e.cluster.layout import Layout

SYSTEMS: Final = ("fake-system", "dra-system")
"""The namespaces of drivers: of the fake devices, and of those that `dra manifests` installs."""

POLICY: Final[JSON] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": [f"system:serviceaccounts:{name}" for name in SYSTEMS]},
        {
            "level": "Metadata",
            "verbs": ["create", "delete", "patch", "update"],
            "resources": [{"group": "rbac.authorization.k8s.io"}],
        },
        {"level": "None"},
    ],
}


def write_policy(layout: Layout) -> None:
    """Write the file that the API server starts with."""
    layout.audit_log.parent.mkdir()
    layout.audit_policy.write_text(json.dumps(POLICY), encoding="utf-8")


def flags(layout: Layout) -> list[str]:
    """Return the flags of the API server."""
    return [
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        # megabytes; one file is easier to look into
        "--audit-log-maxsize=1000",
    ]


def events(layout: Layout) -> list[JSON]:
    """Return what was written so far, in order of time; a line that is not complete is left out."""
    files = sorted(layout.audit_log.parent.glob("*.log"))
    lines = [line for path in files for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    found: list[JSON] = [json.loads(line) for line in lines]
    return sorted(found, key=lambda event: str(event["stageTimestamp"]))
