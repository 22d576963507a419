from api.objects import JSON
from tests.support.slicerig import CLAIMS, DRIVER, SliceRig


def claim(name: str, *results: JSON) -> JSON:
    status = {"allocation": {"devices": {"results": [*results]}}} if results else {}
    return {"metadata": {"name": name, "namespace": "default"}, "status": status}


def result(driver: str, pool: str, device: str) -> JSON:
    return {"request": "r", "driver": driver, "pool": pool, "device": device}


def test_the_devices_of_all_claims_are_those_of_the_driver() -> None:
    rig = SliceRig()
    rig.api.put(CLAIMS, claim("waiting"))
    own, other = result(DRIVER, "node-1", "gpu-0"), result("other.example.com", "node-1", "x")
    rig.api.put(CLAIMS, claim("mixed", own, other))
    rig.api.put(CLAIMS, claim("second", {**result(DRIVER, "node-2", "gpu-0"), "shareID": "s"}))
    assert rig.server.allocated(DRIVER) == {("node-1", "gpu-0", None), ("node-2", "gpu-0", "s")}
