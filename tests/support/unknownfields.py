"""What a schema does not know of an object."""

from api.objects import JSON
from devcluster.apiserver.schema import prune


def unknown_fields(schema: JSON, obj: JSON) -> list[str]:
    """Return the paths that `prune` drops as unknown, such as `spec.claims[0].foo`."""
    unknown: list[str] = []
    prune(schema, obj, unknown)
    return sorted(unknown)
