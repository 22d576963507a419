import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE, Contract
from api.objects import JSON, ClaimUID
from devcluster.kubelet.cdispec import check_spec
from dra.devicestate import cdi
from dra.devicestate.cdirules import validate
from dra.driver import DeviceNode, Edits, Hook, Mount, PreparedClaim, PreparedDevice
from dra.errors import InvalidCdiSpec, InvalidClaimUid
from tests.support import driveredits
from tests.support.mutation import mutated

KIND = "k8s.fake.resource.3-shake.com/fake"
DOTTED = Contract("d.example.com", "a.b")
MOUNT = Mount("/host", "/container")
NODE = DeviceNode("/dev/x")
HOOK = Hook("createContainer", "/bin/true")
SOME = Edits({"A": "1"})
FULL = Edits(
    {"A": "b=c"},
    (Mount("/host", "/container", ("ro", "bind"), "ext4"),),
    (DeviceNode("/dev/x", "/dev/y", "c", 1, 0, "rw"),),
    (Hook("poststop", "/bin/true", ("true", "x"), ("B=",), 5),),
    (7,),
)


def device(device: str = "a", edits: Edits = SOME, **others: Any) -> PreparedDevice:
    return PreparedDevice("pool", device, edits, **others)


def claim(*devices: PreparedDevice, uid: str = "uid") -> PreparedClaim:
    return PreparedClaim(ClaimUID(uid), "ns", "claim", "gpu", devices)


def spec(made: PreparedClaim, contract: Contract = FAKE) -> JSON:
    found = cdi.check_claim(contract, made)
    assert found is not None
    return found


def test_spec_of_a_claim_has_everything_that_edits_say() -> None:
    mount = {"hostPath": "/host", "containerPath": "/container", "options": ["ro", "bind"]}
    node = {"path": "/dev/x", "hostPath": "/dev/y", "type": "c", "major": 1, "minor": 0}
    hook = {"hookName": "poststop", "path": "/bin/true", "args": ["true", "x"], "env": ["B="]}
    edits = {
        "env": ["A=b=c"],
        "mounts": [{**mount, "type": "ext4"}],
        "deviceNodes": [{**node, "permissions": "rw"}],
        "hooks": [{**hook, "timeout": 5}],
        "additionalGids": [7],
    }
    assert spec(claim(device("a", FULL), device("b", Edits()))) == {
        "cdiVersion": "0.7.0",
        "kind": KIND,
        "devices": [{"name": "uid-a", "containerEdits": edits}],
    }


def test_fields_without_a_value_are_left_out() -> None:
    (made,) = spec(claim(device(edits=Edits(mounts=(MOUNT,), device_nodes=(NODE,)))))["devices"]
    assert made["containerEdits"] == {
        "mounts": [{"hostPath": "/host", "containerPath": "/container", "options": ["bind"]}],
        "deviceNodes": [{"path": "/dev/x"}],
    }


def test_characters_of_a_file_are_those_that_a_yaml_parser_reads() -> None:
    """It refuses the pairs of surrogates that JSON may have for one of them."""
    content = cdi.render(spec(claim(device(edits=Edits({"A": "\U0001f600\x7f\ufffe\n"})))))
    assert '"A=\U0001f600\\u007f\\ufffe\\n"'.encode() in content
    (made,) = json.loads(content)["devices"]
    assert made["containerEdits"]["env"] == ["A=\U0001f600\x7f\ufffe\n"]


@pytest.mark.parametrize(
    ("options", "kind", "made"),
    [
        ((), "", ["bind"]),
        (("ro",), "", ["bind", "ro"]),
        (("ro", "rbind"), "", ["ro", "rbind"]),
        (("size=1M",), "tmpfs", ["size=1M"]),
    ],
)
def test_a_mount_without_type_is_a_bind_mount(
    options: tuple[str, ...], kind: str, made: list[str]
) -> None:
    edits = Edits(mounts=(Mount("/host", "/container", options, kind),))
    (found,) = spec(claim(device(edits=edits)))["devices"]
    assert found["containerEdits"]["mounts"][0]["options"] == made


@pytest.mark.parametrize(
    ("devices", "names"),
    [
        pytest.param([device("a")], ["uid-a"], id="device"),
        pytest.param([device("a", name="b")], ["uid-b"], id="child"),
        pytest.param([device("a", share_id="s1")], ["uid-a-s1"], id="share"),
        pytest.param([device("a"), device("b", Edits())], ["uid-a", None], id="no edits"),
        pytest.param(
            [device("a"), PreparedDevice("p/q", "a", Edits({"B": "1"}))],
            ["uid-pool:a", "uid-p:q:a"],
            id="two pools",
        ),
    ],
)
def test_ids_name_the_devices_of_the_spec(
    devices: list[PreparedDevice], names: list[str | None]
) -> None:
    made = claim(*devices)
    assert cdi.device_ids(FAKE, made) == tuple((f"{KIND}={n}",) if n else () for n in names)
    assert [each["name"] for each in spec(made)["devices"]] == [name for name in names if name]


def test_claim_that_edits_nothing_has_no_spec() -> None:
    assert cdi.check_claim(FAKE, claim(device(edits=Edits()))) is None


def test_common_device_and_files() -> None:
    prefix = "k8s.fake.resource.3-shake.com-fake_"
    assert cdi.common_id(FAKE) == f"{KIND}=common"
    assert cdi.claim_file(FAKE, ClaimUID("uid-1")) == f"{prefix}uid-1.json"
    assert cdi.common_file(FAKE) == f"{prefix}common.json"
    validate(cdi.common_spec(FAKE, FULL))


@given(st.text(max_size=200))
def test_file_name_is_one_plain_name_or_an_error(uid: str) -> None:
    try:
        name = cdi.claim_file(FAKE, ClaimUID(uid))
    except InvalidClaimUid:
        return
    assert not set(name) & set("/\0\n\\ ")
    assert name != cdi.common_file(FAKE)
    assert len(name) <= 255
    spec(claim(device(), uid=uid))


@pytest.mark.parametrize(
    "uid", ["", "..", "a/b", "a\0", "common", "a" * 129, "é", "a\n", "-a", "a_"]
)
def test_uid_that_cannot_name_a_file(uid: str) -> None:
    with pytest.raises(InvalidClaimUid, match=r"metadata\.uid"):
        cdi.claim_file(FAKE, ClaimUID(uid))


@pytest.mark.parametrize(
    ("version", "edits", "uid", "contract"),
    [
        ("0.3.0", Edits({"A": "1"}, (MOUNT,), (NODE,), (HOOK,)), "uid", FAKE),
        ("0.5.0", SOME, "1d", FAKE),
        ("0.6.0", SOME, "uid", DOTTED),
        ("0.7.0", FULL, "1d", DOTTED),
    ],
)
def test_version_is_the_lowest_that_has_what_is_used(
    version: str, edits: Edits, uid: str, contract: Contract
) -> None:
    assert spec(claim(device(edits=edits), uid=uid), contract)["cdiVersion"] == version


@pytest.mark.parametrize(
    ("edits", "fault"),
    [
        pytest.param(Edits({"A=B": "1"}), None, id="name with ="),
        pytest.param(Edits({"": "1"}), "has env '=1'", id="no name"),
        pytest.param(Edits({"A": "\0"}), "has env", id="end of text"),
        pytest.param(Edits({"A": "\udc80"}), "has env", id="no UTF-8"),
        pytest.param(Edits(mounts=(Mount("host", "/c"),)), "hostPath is 'host'", id="relative"),
        pytest.param(Edits(mounts=(Mount("/h", ""),)), "containerPath is ''", id="no path"),
        pytest.param(Edits(mounts=(Mount("/h", "/c", ("\0",)),)), "options", id="option"),
        pytest.param(Edits(device_nodes=(DeviceNode("x"),)), "path is 'x'", id="node"),
        pytest.param(Edits(device_nodes=(replace(NODE, host_path="x"),)), "hostPath", id="on host"),
        pytest.param(Edits(device_nodes=(replace(NODE, type="x"),)), "one of b", id="type"),
        pytest.param(Edits(device_nodes=(replace(NODE, major=-1),)), "major is -1", id="number"),
        pytest.param(
            Edits(device_nodes=(replace(NODE, permissions="x"),)), "some of r", id="permissions"
        ),
        pytest.param(Edits(hooks=(Hook("later", "/x"),)), "OCI's hooks", id="hook"),
        pytest.param(Edits(hooks=(Hook("poststop", "x"),)), "absolute path", id="program"),
        pytest.param(Edits(hooks=(replace(HOOK, env=("A",)),)), "NAME=value", id="hook's env"),
        pytest.param(Edits(hooks=(replace(HOOK, timeout=0),)), "seconds", id="timeout"),
        pytest.param(Edits(additional_gids=(0,)), "a group of 1", id="group that is ignored"),
        pytest.param(Edits(additional_gids=(2**32 - 1,)), "a group of 1", id="no group"),
    ],
)
def test_edits_that_a_driver_gives_wrongly(edits: Edits, fault: str | None) -> None:
    with pytest.raises(InvalidCdiSpec, match=fault or "'='"):
        cdi.check_claim(FAKE, claim(device(edits=edits)))


@pytest.mark.parametrize(
    ("one", "other", "fault"),
    [
        pytest.param(Edits({"A": "1"}), Edits({"A": "2"}), "variable A", id="variable"),
        pytest.param(
            Edits(mounts=(MOUNT,)),
            Edits(mounts=(replace(MOUNT, host_path="/x"),)),
            "mount /container",
            id="mount",
        ),
        pytest.param(
            Edits(device_nodes=(NODE,)),
            Edits(device_nodes=(replace(NODE, major=1, minor=1),)),
            "device node /dev/x",
            id="device node",
        ),
    ],
)
def test_two_edits_that_collide(one: Edits, other: Edits, fault: str) -> None:
    spec(claim(device("a", one), device("b", one)))
    with pytest.raises(InvalidCdiSpec, match=f"two edits collide, both set {fault}"):
        cdi.check_claim(FAKE, claim(device("a", one), device("b", other)))


@pytest.mark.parametrize(
    ("devices", "fault"),
    [
        pytest.param((), "no devices", id="none"),
        pytest.param((device("a"), device("a")), "two devices named", id="twice"),
        pytest.param((device("a", Edits()),) * 2, "two devices named", id="twice without edits"),
        pytest.param((device("a b"),), "characters other than", id="name"),
        pytest.param((device("a" * 129),), "longer than 128", id="long"),
        pytest.param((device("a", name="a" * 129),), "longer than 128", id="long child"),
    ],
)
def test_devices_that_a_driver_gives_wrongly(
    devices: tuple[PreparedDevice, ...], fault: str
) -> None:
    with pytest.raises(InvalidCdiSpec, match=fault):
        cdi.check_claim(FAKE, claim(*devices))


def _changed(path: list[Any], to: Any) -> JSON:
    made: JSON = json.loads(
        json.dumps(spec(claim(device("a", FULL), device("b", Edits({"B": "1"})))))
    )
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return made


@pytest.mark.parametrize(
    ("path", "to", "fault"),
    [
        (["extra"], 1, "unknown fields extra"),
        (["containerEdits"], {}, "unknown fields containerEdits"),
        (["cdiVersion"], "0.5.0", r"cdiVersion must be 0\.7\.0"),
        (["kind"], "vendor", "vendor/class"),
        (["kind"], "/fake", "vendor/class"),
        (["kind"], None, "vendor/class"),
        (["devices"], [], "no devices"),
        (["devices"], None, "no devices"),
        (["devices", 0], None, "no object"),
        (["devices", 0, "name"], "uid-b", "two devices named 'uid-b'"),
        (["devices", 0, "name"], "", "characters"),
        (["devices", 0, "name"], 7, "characters"),
        (["devices", 0, "annotations"], {}, "unknown fields annotations"),
        (["devices", 0, "containerEdits"], {}, "edits nothing"),
        (["devices", 0, "containerEdits"], None, "edits nothing"),
        (["devices", 0, "containerEdits"], {"env": []}, "edits nothing"),
        (["devices", 0, "containerEdits", "intelRdt"], {}, "unknown fields intelRdt"),
        (["devices", 0, "containerEdits", "env"], ["novalue"], "has env"),
        (["devices", 0, "containerEdits", "env"], [None], "has env"),
        (["devices", 0, "containerEdits", "env"], "A=b", "has env"),
        (["devices", 0, "containerEdits", "mounts"], [None], "no object"),
        (["devices", 0, "containerEdits", "deviceNodes"], [None], "no object"),
        (["devices", 0, "containerEdits", "hooks"], [{}], "has no hookName"),
        (["devices", 0, "containerEdits", "hooks"], {"a": 1}, "no object"),
        (["devices", 0, "containerEdits", "mounts", 0, "mode"], 1, "unknown fields mode"),
        (["devices", 0, "containerEdits", "deviceNodes", 0, "major"], True, "must be a number"),
        (["devices", 0, "containerEdits", "additionalGids"], ["1"], "a group"),
    ],
)
def test_what_runtimes_refuse(path: list[Any], to: Any, fault: str) -> None:
    with pytest.raises(InvalidCdiSpec, match=fault):
        validate(_changed(path, to))


@given(driveredits.edits.filter(lambda edits: edits != Edits()), driveredits.uids)
def test_any_edits_make_a_spec_that_runtimes_load(edits: Edits, uid: str) -> None:
    """The embedded kubelet reads specs as strictly as runtimes do."""
    made = spec(claim(device(edits=edits), uid=uid))
    assert json.loads(cdi.render(made)) == made
    assert check_spec(made) is None


@given(driveredits.edits.filter(lambda edits: edits != Edits()), driveredits.uids)
def test_a_claim_is_known_by_its_spec(edits: Edits, uid: str) -> None:
    made = claim(device(edits=edits), uid=uid)
    found = cdi.claim_of(FAKE, made.uid, json.loads(json.dumps(spec(made))))
    assert found is not None
    assert cdi.claim_spec(FAKE, found) == spec(made)
    assert cdi.claim_of(DOTTED, made.uid, spec(made)) is None


@given(st.integers(0, 2**32))
def test_no_file_passes_that_the_port_cannot_say(seed: int) -> None:
    """Whatever the values of a spec become, it is refused or one that runtimes load."""
    chance = Random(seed)
    found = mutated(chance, spec(claim(device("a", FULL))))
    try:
        validate(found)
    except InvalidCdiSpec:
        return
    assert check_spec(found) is None


@given(driveredits.claims.filter(lambda claim: claim.devices))
def test_any_claim_makes_a_spec_that_runtimes_load_or_an_error(made: PreparedClaim) -> None:
    try:
        found = cdi.check_claim(FAKE, made)
    except InvalidCdiSpec:
        return
    assert found is None or check_spec(found) is None
