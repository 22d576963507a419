"""What a DeviceTaintRule may say."""

from typing import Any

from devcluster.apiserver.resourceapi import structured
from tests.support.apiserverweb import Web
from tests.support.tables import cases

RULES = "/apis/resource.k8s.io/v1/devicetaintrules"


def rule(taint: Any = None, **spec: Any) -> dict[str, Any]:
    given = {"key": "example.com/broken", "effect": "NoExecute"} if taint is None else taint
    return {"metadata": {"name": "rule"}, "spec": {"taint": given, **spec}}


@cases(
    ("body", "told"),
    {
        "no-effect": (rule({"key": "a"}), "spec.taint.effect: Required value"),
        "effect": (rule({"key": "a", "effect": "Evict"}), "spec.taint.effect: Unsupported value"),
        "key": (rule({"key": "a b", "effect": "None"}), "spec.taint.key: Invalid value"),
        "driver": (rule(deviceSelector={"driver": "a b"}), "spec.deviceSelector.driver: Invalid"),
        "pool": (rule(deviceSelector={"pool": "a//b"}), "spec.deviceSelector.pool: Invalid"),
        "device": (rule(deviceSelector={"device": "A"}), "spec.deviceSelector.device: Invalid"),
    },
)
def test_what_is_refused(body: dict[str, Any], told: str) -> None:
    code, answer = Web(api=structured(37)).json("POST", RULES, body)
    assert (code, answer["reason"]) == (422, "Invalid")
    assert told in answer["message"]


def test_the_server_says_since_when() -> None:
    web = Web(api=structured(37))
    code, stored = web.json("POST", RULES, rule(deviceSelector={}))
    assert code == 201
    assert stored["spec"]["deviceSelector"] == {}
    assert stored["spec"]["taint"]["timeAdded"]
    stored["spec"]["taint"]["effect"] = "None"
    code, changed = web.json("PUT", f"{RULES}/rule", stored)
    assert (code, changed["metadata"]["generation"]) == (200, 2)
