"""Where devices can be reached."""

from allocation.pools import Placed, Pool


def where(pool: Pool, placed: Placed) -> str:
    """Return where a device can be reached."""
    device, spec = placed.device, placed.spec
    holder = device if spec.get("perDeviceNodeSelection") else spec
    if holder.get("nodeName"):
        return str(holder["nodeName"])
    return "all nodes" if holder.get("allNodes") else f"selected nodes ({pool.name})"
