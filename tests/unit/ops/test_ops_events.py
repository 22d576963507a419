from dataclasses import replace
from unittest.mock import create_autospec

import pytest

from api.contract import FAKE
from kube.client import Client
from ops.events import event_recorder
from tests.support.settings import DEFAULTS

CONFIG = replace(DEFAULTS, kube_api_qps=7.0, kube_api_burst=9)
CLAIM = {"kind": "ResourceClaim", "metadata": {"name": "claim", "namespace": "ns"}}


@pytest.mark.parametrize(
    ("normal", "reasons"), [(True, ["Allocated", "NoSuitableNode"]), (False, ["NoSuitableNode"])]
)
def test_events_are_those_that_the_settings_want_at_their_rate(
    normal: bool, reasons: list[str]
) -> None:
    client = create_autospec(Client, instance=True, spec_set=True)
    recorder = event_recorder(
        client, replace(CONFIG, normal_events=normal), FAKE.driver_name, host="node-1"
    )
    recorder.normal(CLAIM, "Allocated", "1 device")
    recorder.warning(CLAIM, "NoSuitableNode", "none")
    recorder.start()
    recorder.stop()
    client.with_rate.assert_called_once_with(7.0, 9)
    written = [call.args[1] for call in client.with_rate.return_value.post.call_args_list]
    assert [event["reason"] for event in written] == reasons
    assert {event["source"]["component"] for event in written} == {
        "resource driver fake.resource.3-shake.com"
    }
    assert {event["source"]["host"] for event in written} == {"node-1"}
