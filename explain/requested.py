"""What claims ask for, as they stand in the API."""

from collections.abc import Iterator

from api.objects import JSON


def asked(claim: JSON) -> Iterator[tuple[str, JSON]]:
    """Yield the requests of a claim with their names, each alternative for itself."""
    for request in claim["spec"]["devices"].get("requests") or ():
        for each in request.get("firstAvailable") or ():
            yield f"{request['name']}/{each['name']}", each
        if request.get("exactly"):
            yield request["name"], request["exactly"]
