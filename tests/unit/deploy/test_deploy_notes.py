"""What Helm prints after an installation leads to the devices of the cluster that there is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from api.objects import JSON
from tests.support.helm import Helm

NAS = "kubectl get nas -n fake-system\n"
SLICES = "kubectl get resourceslices --field-selector spec.driver=fake.resource.3-shake.com\n"
OLD = (NAS, "demo/fake-test1.yaml", "a ResourceClass\nwith driverName fake.resource.3-shake.com.\n")
GATED = (NAS, "demo/1.31/fake-test1.yaml", "a DeviceClass,\nwhich needs no fields.\n")
SELECTING = 'whose selectors take devices with device.driver == "fake.resource.3-shake.com".'
NEW = (SLICES, "demo/structured/fake-test1.yaml", f"a DeviceClass\n{SELECTING}\n")


@pytest.fixture
def notes(root: Path, chart: Path, tmp_path: Path) -> Callable[[JSON, str], str]:
    """Renders the notes, which `helm template` drops unless an object includes them."""
    copy = tmp_path / "chart"
    shutil.copytree(chart, copy)
    text = '{{ include (print .Template.BasePath "/NOTES.txt") . | quote }}'
    (copy / "templates/notes.yaml").write_text(f"kind: Notes\ntext: {text}\n", encoding="utf-8")

    def render(values: JSON, version: str) -> str:
        documents = Helm(root / ".bin/helm", copy).template(values, f"--kube-version={version}")
        (text,) = [d["text"] for d in documents if d["kind"] == "Notes"]
        assert isinstance(text, str)
        return text

    return render


@pytest.mark.parametrize("created", [True, False])
@pytest.mark.parametrize(
    ("version", "kind", "said"),
    [
        ("1.27", "auto", OLD),
        ("1.30", "auto", OLD),
        ("1.31", "auto", GATED),
        ("1.32", "auto", NEW),
        ("1.37", "auto", NEW),
        ("1.30", "structured", NEW),
        ("1.37", "structured", NEW),
        ("1.30", "classic", OLD),
    ],
)
def test_notes_say_what_to_do_next(
    notes: Callable[[JSON, str], str],
    root: Path,
    version: str,
    kind: str,
    said: tuple[str, str, str],
    created: bool,
) -> None:
    text = notes({"kind": kind, "resourceClass": {"create": created}}, version)
    look, demo, needed = said
    assert "rollout status -n fake-system deployment/fake-dra-driver-controller" in text
    assert look in text
    assert f"kubectl apply -f {demo}\n" in text
    found = "No class is made (resourceClass.create=false): claims find the driver only through "
    assert (found + needed in text) is not created
    assert ("DRAControlPlaneController" in text) is (said == GATED)
    assert ("its finalizer" in text) is (said != NEW)
