"""What claims ask for, as they stand in the API."""

from collections.abc import Iterator

from api.objects import JSON


def asked(claim: JSON) -> Iterator[tuple[str, JSON]]:
    """Yield the requests of a claim with their names, each alternative for itself."""
    for request in (claim["spec"].get("devices") or {}).get("requests") or ():
        for each in request.get("firstAvailable") or ():
            yield f"{request['name']}/{each['name']}", each
        if request.get("exactly"):
            yield request["name"], request["exactly"]


def class_names(claim: JSON) -> Iterator[tuple[str, str]]:
    """Yield the classes that a claim of any version names, with the request in words."""
    if name := claim["spec"].get("resourceClassName"):
        yield "", name
    for request in (claim["spec"].get("devices") or {}).get("requests") or ():
        if "deviceClassName" in request:
            yield f", request {request['name']}", request["deviceClassName"]
    for name, body in asked(claim):
        yield f", request {name}", body.get("deviceClassName", "")


def of_class(raw: JSON) -> list[str]:
    """Return the expressions of a DeviceClass."""
    selectors = (raw.get("spec") or {}).get("selectors") or ()
    return [each["cel"]["expression"] for each in selectors if "cel" in each]
