"""What the chart and the controller would make: definitions, namespace and class of the driver."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from api.classes import CLASSES, wanted_classes
from api.contract import FAKE
from api.objects import JSON
from api.resources import DEFINITIONS, NAMESPACES, Resource
from devcluster.yamlfiles import documents
from kube.client import Client
from kube.errors import AlreadyExists

SYSTEM_NAMESPACE: Final = "fake-system"
CLASS_NAME: Final = "fake.3-shake.com"


def driver_objects(
    driver_name: str, *, structured: bool = False
) -> Iterator[tuple[Resource, JSON]]:
    """Yield what to create for a driver, in order; of the structured kind it makes its classes."""
    for path in sorted(files("api").iterdir(), key=lambda item: item.name):
        if path.name.endswith("_crd.yaml"):
            for definition in documents(path.read_text(encoding="utf-8")):
                yield DEFINITIONS, definition
    yield NAMESPACES, _object(NAMESPACES, SYSTEM_NAMESPACE)
    if structured:
        return
    for obj in wanted_classes("v1alpha2", FAKE.renamed(driver_name), CLASS_NAME):
        yield CLASSES["v1alpha2"], obj


def install(client: Client, driver_name: str, *, structured: bool = False) -> None:
    """Create what is missing.

    Raises:
        KubeError: the API server does not answer or refuses.
    """
    for resource, obj in driver_objects(driver_name, structured=structured):
        try:
            client.create(resource, obj)
        except AlreadyExists:
            continue


def _object(resource: Resource, name: str) -> JSON:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
    }
