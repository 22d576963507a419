"""Releases of the chart that had the class in their manifest are upgraded as the README says."""

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api.objects import JSON
from tests.support.helm import Helm

FULL = "fake-dra-driver"
FORMER = {
    *(("ServiceAccount", f"{FULL}-{each}") for each in ("controller", "kubeletplugin")),
    *(("ClusterRole", f"{FULL}-{each}") for each in ("controller", "kubeletplugin")),
    *(("ClusterRoleBinding", f"{FULL}-{each}") for each in ("controller", "kubeletplugin")),
    *(("Role", f"{FULL}-{each}") for each in ("controller", "kubeletplugin")),
    *(("RoleBinding", f"{FULL}-{each}") for each in ("controller", "kubeletplugin")),
    *(("Service", f"{FULL}-{each}") for each in ("controller", "kubeletplugin")),
    ("Deployment", f"{FULL}-controller"),
    ("DaemonSet", f"{FULL}-kubeletplugin"),
    ("ValidatingAdmissionPolicy", f"{FULL}-kubeletplugin"),
    ("ValidatingAdmissionPolicyBinding", f"{FULL}-kubeletplugin"),
}
"""What such a release had, besides its class and hooks."""

CLASS = """# Source: fake-dra-driver/templates/resourceclass.yaml
# Claims of 1.31 name the driver in spec.controller; the class says only which devices.
apiVersion: resource.k8s.io/v1alpha3
kind: DeviceClass
metadata:
  name: fake.3-shake.com
spec: {}
"""
ACCOUNT = """# Source: fake-dra-driver/templates/serviceaccount.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: fake-dra-driver-controller
"""
ROLE = """# Source: fake-dra-driver/templates/rbac-controller.yaml
kind: ClusterRole
rules:
  - apiGroups: ["resource.k8s.io"]
    resources: ["resourceclaims"]
"""

STAND_IN = """#!/bin/sh
case "$*" in
  *"-o name"*) printf '%s\\n' secret/sh.helm.release.v1.fake-dra-driver.v1 secret/$LAST ;;
  "get --namespace fake-system secret/$LAST -o jsonpath={.data.release}") cat "$RELEASE" ;;
  "patch --namespace fake-system secret/$LAST --patch "*) printf '%s' "$6" >"$PATCH" ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""
LAST = "sh.helm.release.v1.fake-dra-driver.v2"


def names(documents: list[JSON]) -> set[tuple[str, str]]:
    return {
        (d["kind"], d["metadata"]["name"])
        for d in documents
        if "helm.sh/hook" not in (d["metadata"].get("annotations") or {})
    }


def test_an_upgrade_deletes_nothing_but_the_class(helm: Helm) -> None:
    assert names(helm.template(None, "--kube-version=v1.31.0")) >= FORMER


def test_pods_of_a_former_release_are_those_of_the_new_one(helm: Helm) -> None:
    """Helm could not change a selector."""
    selectors = {
        d["kind"]: d["spec"]["selector"]["matchLabels"]
        for d in helm.template()
        if d["kind"] in ("Deployment", "DaemonSet")
    }
    label = "app.kubernetes.io"
    assert selectors == {
        kind: {f"{label}/name": FULL, f"{label}/instance": FULL, f"{label}/component": component}
        for kind, component in (("Deployment", "controller"), ("DaemonSet", "kubeletplugin"))
    }


def packed(release: JSON) -> str:
    """A release as Helm keeps it, and as the API server shows the data of its Secret."""
    inner = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    return base64.b64encode(inner).decode()


def unpacked(data: str) -> JSON:
    """What Helm reads of a Secret whose stringData was this."""
    loaded: JSON = json.loads(gzip.decompress(base64.b64decode(data)))
    return loaded


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_commands_of_the_readme_take_the_class_out_of_a_release(
    chart: Path, tmp_path: Path
) -> None:
    text = (chart / "README.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"```sh\n(secret=\$\(.+?)```", text, re.DOTALL)
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(STAND_IN, encoding="utf-8")
    kubectl.chmod(0o755)
    release = {
        "name": FULL,
        "version": 2,
        "manifest": "---\n" + "---\n".join((ACCOUNT, CLASS, ROLE)),
    }
    (tmp_path / "release").write_text(packed(release), encoding="utf-8")
    env = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "LAST": LAST,
        "RELEASE": str(tmp_path / "release"),
        "PATCH": str(tmp_path / "patch"),
    }
    subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=tmp_path, env=env, check=True)
    patch = json.loads((tmp_path / "patch").read_text(encoding="utf-8"))
    changed = unpacked(patch["stringData"]["release"])
    assert changed == {**release, "manifest": "---\n" + "---\n".join((ACCOUNT, ROLE))}
    assert unpacked((tmp_path / "release.backup").read_text(encoding="utf-8")) == release
