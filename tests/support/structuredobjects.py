"""ResourceSlices and ResourceClaims with structured parameters, in the form of v1."""

from typing import Any, Final

from api.objects import JSON

DRIVER: Final = "gpu.example.com"
EXACT: Final[JSON] = {"deviceClassName": "gpu"}


def a_slice(name: str, *devices: JSON, **spec: Any) -> JSON:
    """Return a slice of node-1; a field of the spec that is None is left out."""
    pool = {"name": "node-1", "generation": 1, "resourceSliceCount": 1}
    own = {"driver": DRIVER, "nodeName": "node-1", "pool": pool, **spec}
    listed = {"devices": list(devices)} if devices else {}
    given = {key: value for key, value in {**listed, **own}.items() if value is not None}
    return {"metadata": {"name": name}, "spec": given}


def slice_body(*devices: JSON, **spec: Any) -> JSON:
    """Return the slice `s`."""
    return a_slice("s", *devices, **spec)


def device(name: str = "gpu-0", **fields: Any) -> JSON:
    """Return a device."""
    return {"name": name, **fields}


def request(name: str = "r", **fields: Any) -> JSON:
    """Return a request, by default of one device."""
    return {"name": name, **(fields or {"exactly": EXACT})}


def config(parameters: Any = None, **fields: Any) -> JSON:
    """Return a configuration of the driver."""
    given = {} if parameters is None else parameters
    return {"opaque": {"driver": DRIVER, "parameters": given}, **fields}


def claim_body(*requests: JSON, **devices: Any) -> JSON:
    """Return the claim `c`, by default for one device."""
    asked = list(requests) or [request()]
    return {"metadata": {"name": "c"}, "spec": {"devices": {"requests": asked, **devices}}}
