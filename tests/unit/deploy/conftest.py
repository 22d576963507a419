import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from kubernetes_validate import utils

from api.objects import JSON
from tests.support.helm import Helm

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session", autouse=True)
def schemas_read_once() -> None:
    """Read each schema of Kubernetes once and not for each object: they are a megabyte."""
    utils.schema_contents = functools.cache(utils.schema_contents)


@pytest.fixture(scope="session")
def root() -> Path:
    """The top directory of the project."""
    return ROOT


@pytest.fixture(scope="session")
def chart() -> Path:
    """The directory of the chart."""
    return ROOT / "deploy/helm/fake-dra-driver"


@pytest.fixture(scope="session")
def helm(chart: Path) -> Helm:
    """The real helm with our chart."""
    binary = ROOT / ".bin/helm"
    if not binary.exists():
        pytest.fail(f"{binary} does not exist; fetch it with `make tools`")
    return Helm(binary, chart)


@pytest.fixture(scope="session")
def defaults(chart: Path) -> JSON:
    """The values of the chart."""
    loaded: JSON = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def overridden() -> JSON:
    """Values that differ from the chart's in every leaf."""
    path = Path(__file__).with_name("overridden_values.yaml")
    loaded: JSON = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def rendered(helm: Helm) -> list[JSON]:
    """The objects of an installation with the chart's own values."""
    return helm.template()


@pytest.fixture(scope="session")
def find() -> Callable[[list[JSON], str, str], JSON]:
    """Finds the only object of a kind whose name has a suffix."""

    def search(documents: list[JSON], kind: str, suffix: str = "") -> JSON:
        found = [
            d for d in documents if d["kind"] == kind and d["metadata"]["name"].endswith(suffix)
        ]
        assert len(found) == 1, f"{len(found)} objects {kind} *{suffix}"
        return found[0]

    return search
