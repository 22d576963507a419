"""The shape of a claim's allocation.

Source: kubernetes pkg/apis/resource/validation/validation.go (validateAllocationResult) v1.30.
"""

from collections.abc import Iterator
from typing import Final

from api import validation
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError

MAX_HANDLES: Final = 32
MAX_HANDLE_BYTES: Final = 16 * 1024


def allocation_errors(path: str, allocation: JSON | None) -> Iterator[FieldError]:
    """Return what is wrong with an AllocationResult; None is fine."""
    if allocation is None:
        return
    handles = allocation.get("resourceHandles") or []
    for index, handle in enumerate(handles):
        yield from _handle_errors(f"{path}.resourceHandles[{index}]", handle)
    if len(handles) > MAX_HANDLES:
        yield fielderrors.too_long(f"{path}.resourceHandles", MAX_HANDLES)
    selector = allocation.get("availableOnNodes")
    if selector is not None and not selector.get("nodeSelectorTerms"):
        text = "must have at least one node selector term"
        yield fielderrors.required(f"{path}.availableOnNodes.nodeSelectorTerms", text)


def _handle_errors(path: str, handle: JSON) -> Iterator[FieldError]:
    driver = handle.get("driverName")
    if not driver:
        yield fielderrors.required(f"{path}.driverName")
    elif wrong := validation.subdomain(driver.lower()):
        yield fielderrors.bad_value(f"{path}.driverName", driver, wrong)
    if len((handle.get("data") or "").encode()) > MAX_HANDLE_BYTES:
        yield fielderrors.too_long(f"{path}.data", MAX_HANDLE_BYTES)
    if handle.get("data") and handle.get("structuredData") is not None:
        text = "data and structuredData are mutually exclusive"
        yield fielderrors.bad_value(path, None, text)
