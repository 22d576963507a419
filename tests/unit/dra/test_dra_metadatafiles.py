import json
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.claims.versions import read_claim
from api.claims.view import ClaimView, Result
from api.names import POD_CLAIM_NAME_ANNOTATION
from api.objects import JSON, ClaimUID
from devcluster.kubelet.cdispec import check_spec
from dra.driver import PreparedClaim
from dra.errors import CdiWriteFailed
from dra.kubelet.answers import AnsweredDevice, appended
from dra.publish.devicemetadata import Described, parse, uid_of_file
from dra.publish.metadatafiles import MetadataFiles

DRIVER = "gpu.example.com"
UID = "0d1ec0de-0000-4000-8000-000000000000"
IN_CONTAINER = "/var/run/kubernetes.io/dra-device-attributes"


class Source:
    """Attributes of devices."""

    def __init__(self) -> None:
        self.model = "a100"
        self.error: Exception | None = None

    def metadata(self, result: Result) -> Mapping[str, JSON]:
        if self.error:
            raise self.error
        return {} if result.device == "plain" else {"model": {"string": self.model}}


class Rig:
    """The files of one driver in directories of their own."""

    def __init__(self, root: Path, driver: str = DRIVER) -> None:
        self.source = Source()
        self.host, self.cdi = root / "plugin", root / "cdi"
        self.files = MetadataFiles(driver, self.source, self.host, self.cdi)

    def told(self, name: str = "c", request: str = "r") -> list[JSON]:
        """Return the objects of a file."""
        path = self.host / "dra-device-metadata" / f"default_{name}" / request / "metadata.json"
        text, found = path.read_text(), []
        while text:
            value, end = json.JSONDecoder().raw_decode(text)
            found.append(value)
            text = text[end:].removeprefix("\n")
        return found

    def present(self) -> list[str]:
        """Return all files, with the directories that are empty."""
        roots = (self.host, self.cdi)
        found = [path for root in roots for path in root.rglob("*")]
        return sorted(p.name for p in found if p.is_file() or not list(p.iterdir()))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def claim(
    *devices: tuple[str, str],
    uid: str = UID,
    name: str = "c",
    label: str = "",
    driver: str = DRIVER,
) -> ClaimView:
    """Return a claim with devices by request; that of another driver comes first."""
    results: list[JSON] = [
        {"request": "r", "driver": "nic.example.com", "pool": "p", "device": "n"}
    ]
    for request, device in devices or (("r", "gpu-0"),):
        results.append({"request": request, "driver": driver, "pool": "node-1", "device": device})
    annotations = {POD_CLAIM_NAME_ANNOTATION: label} if label else {}
    return read_claim(
        {
            "apiVersion": "resource.k8s.io/v1",
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": uid,
                "annotations": annotations,
            },
            "status": {"allocation": {"devices": {"results": results}}},
        }
    )


def checkpointed(uid: str = UID, name: str = "c") -> PreparedClaim:
    return PreparedClaim(ClaimUID(uid), "default", name, name)


def test_a_request_has_a_file_in_two_versions_and_a_mount(rig: Rig) -> None:
    assert rig.files.prepared(claim()) == {"r": f"{DRIVER}/metadata={UID}_r"}
    said = {
        "kind": "DeviceMetadata",
        "metadata": {"name": "c", "namespace": "default", "uid": UID, "generation": 1},
        "requests": [
            {
                "name": "r",
                "devices": [
                    {
                        "driver": DRIVER,
                        "pool": "node-1",
                        "name": "gpu-0",
                        "attributes": {"model": {"string": "a100"}},
                    }
                ],
            }
        ],
    }
    versions = ("metadata.resource.k8s.io/v1beta1", "metadata.resource.k8s.io/v1alpha1")
    assert rig.told() == [{"apiVersion": version, **said} for version in versions]
    host = rig.host / "dra-device-metadata/default_c/r/metadata.json"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (host, host.parent)]
    assert modes == [0o644, 0o755]
    (spec_file,) = rig.cdi.iterdir()
    assert spec_file.name == f"{DRIVER}_metadata_{UID}_r.json"
    spec = json.loads(spec_file.read_text())
    mount = {
        "hostPath": str(host),
        "containerPath": f"{IN_CONTAINER}/resourceclaims/c/r/{DRIVER}-metadata.json",
        "options": ["ro", "bind"],
    }
    device = {"name": f"{UID}_r", "containerEdits": {"mounts": [mount]}}
    assert spec == {"cdiVersion": "0.5.0", "kind": f"{DRIVER}/metadata", "devices": [device]}
    assert check_spec(spec) is None


def test_a_claim_of_a_template_is_found_under_the_name_in_the_pod(rig: Rig) -> None:
    rig.files.prepared(claim(name="pod-gpu-x7", label="gpu"))
    assert [each["podClaimName"] for each in rig.told("pod-gpu-x7")] == ["gpu", "gpu"]
    (spec_file,) = rig.cdi.iterdir()
    (device,) = json.loads(spec_file.read_text())["devices"]
    (mount,) = device["containerEdits"]["mounts"]
    path = f"{IN_CONTAINER}/resourceclaimtemplates/gpu/r/{DRIVER}-metadata.json"
    assert mount["containerPath"] == path


def test_requests_are_told_apart_and_alternatives_named(rig: Rig) -> None:
    given = claim(("b/big", "gpu-0"), ("a", "plain"), ("b/big", "gpu-1"))
    assert sorted(rig.files.prepared(given)) == ["a", "b"]
    (first, _), (second, _) = rig.told(request="a"), rig.told(request="b")
    assert first["requests"] == [
        {"name": "a", "devices": [{"driver": DRIVER, "pool": "node-1", "name": "plain"}]}
    ]
    (request,) = second["requests"]
    assert request["name"] == "b/big"
    assert [each["name"] for each in request["devices"]] == ["gpu-0", "gpu-1"]


def test_the_generation_counts_changes(rig: Rig) -> None:
    generations = []
    for model in ("a", "a", "b", "a"):
        rig.source.model = model
        rig.files.prepared(claim())
        generations.append([each["metadata"]["generation"] for each in rig.told()])
    assert generations == [[1, 1], [1, 1], [2, 2], [3, 3]]
    rig.files.prepared(claim(uid="other"))
    assert [each["metadata"]["generation"] for each in rig.told()] == [1, 1]


def test_a_file_that_others_damaged_is_written_anew(rig: Rig) -> None:
    rig.files.prepared(claim())
    host = rig.host / "dra-device-metadata/default_c/r/metadata.json"
    whole = host.read_bytes()
    host.write_bytes(whole[:100])
    rig.files.prepared(claim())
    assert host.read_bytes() == whole


def without_directory(rig: Rig) -> None:
    rig.host.write_text("a file")


def raising(rig: Rig) -> None:
    rig.source.error = RuntimeError("no answer")


@pytest.mark.parametrize("break_", [without_directory, raising])
def test_a_claim_is_prepared_without_what_cannot_be_written(
    rig: Rig, caplog: pytest.LogCaptureFixture, break_: Callable[[Rig], None]
) -> None:
    break_(rig)
    assert rig.files.prepared(claim()) == {}
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("ERROR", "No metadata")
    assert not rig.cdi.exists()


def test_a_driver_whose_name_runtimes_refuse_gets_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, "9.example.com")
    assert rig.files.prepared(claim(driver="9.example.com")) == {}
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "kind must be vendor/class" in str(record.exc_info[1])
    assert list(tmp_path.rglob("*.json")) == []


def test_unpreparing_removes_the_files_of_the_claim_alone(rig: Rig) -> None:
    rig.files.prepared(claim(("r", "gpu-0"), ("s", "gpu-1")))
    rig.files.prepared(claim(uid=f"{UID}_r", name="d"))
    for _ in range(2):
        rig.files.removed(checkpointed())
    assert rig.present() == [f"{DRIVER}_metadata_{UID}_r_r.json", "metadata.json"]
    rig.files.removed(checkpointed(f"{UID}_r", "d"))
    assert rig.present() == ["dra-device-metadata"]


def test_files_of_a_claim_that_has_the_name_now_stay(rig: Rig) -> None:
    rig.files.prepared(claim())
    rig.files.prepared(claim(uid="new"))
    rig.files.removed(checkpointed())
    assert rig.present() == [f"{DRIVER}_metadata_new_r.json", "metadata.json"]


def test_a_file_that_stays_is_the_claims_error(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.files.prepared(claim())

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(CdiWriteFailed, match=r"default/c .*Permission denied"):
        rig.files.removed(checkpointed())


def test_recovery_makes_mounts_again_and_removes_leftovers(rig: Rig) -> None:
    rig.files.prepared(claim())
    (spec_file,) = rig.cdi.iterdir()
    whole = spec_file.read_bytes()
    rig.files.prepared(claim(uid="gone", name="d"))
    host = rig.host / "dra-device-metadata"
    (host / "default_e" / "r").mkdir(parents=True)
    for path in (
        host / "default_e" / "r" / "metadata.json",
        host / "default_c" / "r" / "metadata.json.x.tmp",
        rig.cdi / f"{spec_file.name}.x.tmp",
        rig.cdi / f"{DRIVER}_metadata_{UID}_other.json",
    ):
        path.write_text("left")
    foreign = rig.cdi / "nic.example.com_metadata_gone_r.json"
    foreign.write_text("foreign")
    spec_file.unlink()
    rig.files.recover([checkpointed()])
    assert spec_file.read_bytes() == whole
    assert rig.present() == sorted([foreign.name, spec_file.name, "metadata.json"])
    rig.files.recover([])
    assert rig.present() == ["dra-device-metadata", foreign.name]


def test_recovery_of_nothing_makes_nothing(rig: Rig) -> None:
    rig.files.recover([checkpointed()])
    assert (rig.host.exists(), rig.cdi.exists()) == (False, False)


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        (f"{DRIVER}_metadata_u_r.json", "u"),
        (f"{DRIVER}_metadata_u_v_r.json", "u_v"),
        (f"{DRIVER}_metadata_r.json", None),
        (f"{DRIVER}_metadata_u_r.yaml", None),
        ("nic.example.com_metadata_u_r.json", None),
    ],
)
def test_whose_cdi_file_it_is(name: str, uid: str | None) -> None:
    assert uid_of_file(DRIVER, name) == uid


names = st.from_regex(r"[a-z0-9]{1,5}", fullmatch=True)


@given(
    st.builds(
        Described,
        names.map(ClaimUID),
        names,
        names,
        st.none() | names,
        st.sampled_from(["r", "r/sub"]),
        st.lists(st.dictionaries(names, st.text() | st.integers()), max_size=3).map(tuple),
        st.integers(1),
    )
)
def test_a_file_says_what_it_was_written_for(said: Described) -> None:
    assert parse(said.content()) == said
    assert parse(said.content() + b" ") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"1",
        b'{"metadata":{}}',
        b"[" * 100_000,
        b'{"requests":[1],"metadata":2}',
    ],
    ids=["empty", "binary", "list", "number", "bare", "deep", "types"],
)
def test_what_is_no_file_of_ours_says_nothing(content: bytes) -> None:
    assert parse(content) is None


def device(*ids: str, requests: tuple[str, ...] = ("r",)) -> AnsweredDevice:
    return AnsweredDevice(requests, "p", "d", ids)


@pytest.mark.parametrize(
    ("devices", "ids", "expected"),
    [
        pytest.param([device("a"), device("b")], {"r": "m"}, [("a", "m"), ("b",)], id="first"),
        pytest.param([device(), device("b")], {"r": "m"}, [("m",), ("b",)], id="without-own"),
        pytest.param(
            [device("a"), device("b", requests=("s",))],
            {"r": "m", "s": "n"},
            [("a", "m"), ("b", "n")],
            id="two-requests",
        ),
        pytest.param(
            [device("a", requests=()), device("b")],
            {"r": "m", "s": "n"},
            [("a", "m", "n"), ("b",)],
            id="all-requests",
        ),
        pytest.param([device("a")], {}, [("a",)], id="none"),
    ],
)
def test_the_first_device_of_a_request_brings_its_metadata(
    devices: list[AnsweredDevice], ids: dict[str, str], expected: list[tuple[str, ...]]
) -> None:
    found = appended(tuple(devices), ids)
    assert [each.cdi_ids for each in found] == expected
    assert [replace(each, cdi_ids=()) for each in found] == [
        replace(each, cdi_ids=()) for each in devices
    ]
