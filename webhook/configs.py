"""Where the objects of resource.k8s.io carry opaque parameters, for whom, and what they say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.objects import JSON

CONFIG: Final[Mapping[str, str]] = {
    "resourceclaims": "spec.devices.config",
    "resourceclaimtemplates": "spec.spec.devices.config",
    "deviceclasses": "spec.config",
}
"""Path of the entries by resource, the same in all versions."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """Parameters for one driver.

    Attributes:
        field: path in the object.
        driver: name of it.
        parameters: as they were sent; usually an object.
    """

    field: str
    driver: str
    parameters: Any


def opaque_configs(obj: JSON, resource: str) -> Iterator[Opaque]:
    """Yield what an object has for drivers; what is not as the API wants it is its server's."""
    path = CONFIG[resource]
    entries = _at(obj, *path.split("."))
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        opaque = _at(entry, "opaque")
        driver = _at(opaque, "driver")
        if isinstance(driver, str):
            yield Opaque(f"{path}[{index}].opaque.parameters", driver, _at(opaque, "parameters"))


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
