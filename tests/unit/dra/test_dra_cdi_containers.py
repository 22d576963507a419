"""Claims that meet in a container: what is in its environment, in whatever order they are merged.

Kubelets give the ids of a container's claims to the runtime in no certain order, and the last
device that sets a variable wins.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.claims.versions import read_claim
from api.claims.view import Result
from api.contract import FAKE
from api.names import POD_CLAIM_NAME_ANNOTATION
from api.nas import PreparedDevice
from api.objects import ClaimUID, DeviceID
from devcluster.kubelet.cdiresolver import resolve
from dra.driver import PreparedClaim
from plugin.classic.driver import answer
from tests.support.build import NAMESPACE, claim
from tests.support.pluginrig import FAKES, NODE

_OF_CLAIM = re.compile(r"FAKE_CLAIMUID_(\w+)_(\d+)")


@dataclass(frozen=True)
class Use:
    """A claim of a container.

    Attributes:
        number: makes its uid and its devices.
        name: of the ResourceClaim.
        entry: of the pod that it was made for from a template, empty for a claim of its own.
        devices: how many.
        split: children of each.
        request: of 1.31, to which the container is confined; its devices are `request`'s first.
    """

    number: int
    name: str
    entry: str = ""
    devices: int = 1
    split: int = 0
    request: str = ""

    @property
    def uid(self) -> ClaimUID:
        return ClaimUID(f"{self.number:08x}-2fbb-41e0-a47b-e29018130039")

    def prepared(self) -> PreparedClaim:
        raw = claim(self.name)
        raw["metadata"]["annotations"] = {POD_CLAIM_NAME_ANNOTATION: self.entry}
        label = read_claim(raw).label
        return FAKES.claim(self.uid, NAMESPACE, self.name, label, tuple(self._devices()))

    def ids(self) -> list[str]:
        """Return what the kubelet gives to the runtime for the container."""
        made = self.prepared()
        results = [Result(f"r{n}", NODE, d.device.lower()) for n, d in enumerate(made.devices)]
        groups = answer(FAKE, made, results, NODE)
        wanted = [g for g in groups if self.request in ("", *g.requests)]
        return [id_ for group in wanted for id_ in group.cdi_ids]

    def visible(self) -> list[str]:
        """Return the devices that the container has to find."""
        made = [device.id for device in self._devices()]
        return made[int(self.request[1:]) :][:1] if self.request else made

    def _devices(self) -> Iterator[PreparedDevice]:
        for n in range(self.devices):
            whole = DeviceID(f"FAKE-{self.number}-{n}")
            children = [PreparedDevice(DeviceID(f"{whole}-{c}"), whole) for c in range(self.split)]
            yield from children or [PreparedDevice(whole)]


MEETINGS = [
    pytest.param([Use(1, "pod-gpu-x7k2p", "gpu"), Use(2, "gpu")], id="template and name"),
    pytest.param([Use(1, "a-b"), Use(2, "a.b"), Use(3, "pod-x", "a-b")], id="folded characters"),
    pytest.param([Use(1, "p-x", "gpu"), Use(2, "q-x", "gpu")], id="templates of two pods"),
    pytest.param([Use(1, "gpu", devices=3), Use(2, "pod-x", "gpu")], id="more devices and fewer"),
    pytest.param([Use(1, "gpu", split=2), Use(2, "pod-x", "gpu", split=3)], id="children"),
    pytest.param([Use(1, "gpu", devices=2), Use(2, "gpu-1")], id="name that ends like an index"),
    pytest.param(
        [Use(1, "gpu"), Use(2, f"uid-{Use(1, '').uid}"), Use(3, f"claimuid-{Use(1, '').uid}")],
        id="names that pretend to be the uid of another claim",
    ),
    pytest.param(
        [Use(1, "gpu", devices=3, request="r1"), Use(2, "pod-x", "gpu", devices=2, request="r1")],
        id="requests of 1.31",
    ),
    pytest.param([Use(1, "gpu", devices=2)], id="one claim"),
]


@pytest.fixture
def cdi_root(tmp_path: Path) -> Path:
    return tmp_path / "cdi"


def environments(root: Path, uses: Sequence[Use]) -> Iterator[dict[str, str]]:
    """Yield the environment of a container for each order of its ids."""
    directory = FAKES.directory(root)
    for use in uses:
        directory.ensure(use.prepared())
    ids = dict.fromkeys(id_ for use in uses for id_ in use.ids())
    for order in itertools.permutations(ids):
        yield dict(resolve([root], order).env)


def found(env: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the devices by the name of their claim, as a program in the container finds them."""
    devices: dict[str, list[str]] = {}
    for variable in sorted(env):
        if match := _OF_CLAIM.fullmatch(variable):
            name = env[f"FAKE_CLAIMUID_{match[1]}_NAME"]
            devices.setdefault(name, []).append(env[variable])
    return devices


@pytest.mark.parametrize("uses", MEETINGS)
def test_every_device_is_found_by_the_uid_of_its_claim(cdi_root: Path, uses: list[Use]) -> None:
    wanted = {use.name: use.visible() for use in uses}
    for env in environments(cdi_root, uses):
        assert found(env) == wanted


@pytest.mark.parametrize("uses", MEETINGS)
def test_only_the_readable_names_depend_on_the_order(cdi_root: Path, uses: list[Use]) -> None:
    first, *others = environments(cdi_root, uses)
    unstable = {v for other in others for v in first if first[v] != other[v]}
    assert all(other.keys() == first.keys() for other in others)
    assert {v for v in unstable if not v.startswith(("FAKE_DEVICE_", "FAKE_CLAIM_"))} == set()
    assert bool(unstable) == (len(uses) > 1)


def test_claims_of_different_labels_are_found_by_these(cdi_root: Path) -> None:
    uses = [Use(1, "pod-x", "mine"), Use(2, "gpu", devices=2), Use(3, "gpu-1")]
    for env in environments(cdi_root, uses):
        assert {name: env[name] for name in env if name.startswith("FAKE_CLAIM_")} == {
            "FAKE_CLAIM_MINE_0": "FAKE-1-0",
            "FAKE_CLAIM_GPU_0": "FAKE-2-0",
            "FAKE_CLAIM_GPU_1": "FAKE-2-1",
            "FAKE_CLAIM_GPU_1_0": "FAKE-3-0",
        }
