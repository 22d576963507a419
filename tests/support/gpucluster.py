"""A real one-node Kubernetes of structured claims with the gpu driver on it, by its chart."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.contract import Contract
from api.objects import JSON
from testing.waiting import until
from tests.e2e.cluster import processes
from tests.e2e.cluster.cluster import Cluster as Machine
from tests.support.anycluster import KUBECTL, ROOT
from tests.support.choice import IMAGE
from tests.support.helm import Helm
from tests.support.kubectl import Kubectl
from tests.support.structuredcluster import as_v1, served_text

NAME: Final = "dra-example-driver"
CONTRACTS: Final = (Contract("gpu.example.com", "gpu"), Contract("net.example.com", "net"))
CHART: Final = ROOT / "drivers/gpu/deploy" / NAME
DEMOS: Final = ROOT / "drivers/gpu/demo"
PROGRAMS: Final = ("dra-gpu-kubeletplugin", "dra-gpu-controller")
SHELLS: Final = {"image: ubuntu:22.04": "image: busybox:1.36", '["bash",': '["ash",'}
"""The node has no registry; what its shell prints is told as bash would."""

_SECONDS: Final = 200.0
_EXPORTED: Final = re.compile(r"^export (\w+)='(.*)'$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GpuCluster:
    """The cluster, and what tests do with the driver and its demos.

    Attributes:
        machine: the node and the control plane.
        kubectl: the real one.
        helm: likewise, with the driver's chart.
    """

    machine: Machine
    kubectl: Kubectl
    helm: Helm

    @classmethod
    def on(cls, machine: Machine) -> "GpuCluster":
        """Return the cluster of a machine."""
        kubectl = Kubectl(KUBECTL, machine.kubeconfig, timeout=_SECONDS)
        helm = Helm(ROOT / ".bin/helm", CHART, kubeconfig=machine.kubeconfig)
        return cls(machine, kubectl, helm)

    @property
    def minor(self) -> int:
        """Of Kubernetes 1."""
        return self.machine.version.minor

    @contextmanager
    def installed(self, **values: object) -> Iterator[None]:
        """Have the driver with values of its chart, and afterwards nothing of it.

        Args:
            values: of the chart, beside those of the image.
        """
        repository, tag = IMAGE
        image = {"repository": repository, "tag": tag, "pullPolicy": "Never"}
        self.helm.install(NAME, NAME, {**values, "image": image})
        try:
            until("devices in slices", self.devices, 60)
            yield
        finally:
            if self.left()["objects"]:
                self.uninstall()
            for each in CONTRACTS:
                # at once; the kubelet does so half a minute after the plugin has ended
                chosen = f"--field-selector=spec.driver={each.driver_name}"
                self.kubectl.run("delete", "resourceslices", chosen)

    def uninstall(self) -> None:
        """Uninstall the driver, and wait until nothing of it runs."""
        self.helm.uninstall(NAME, NAME)
        self.kubectl.run("delete", "namespace", NAME, "--timeout=120s", "--ignore-not-found")
        until("the programs end", lambda: not self.left()["processes"], 60)

    @contextmanager
    def demo(self, name: str, *pods: str, running: bool = True) -> Iterator["Demo"]:
        """Apply a demo while the context lasts, and wait until its pods are Ready.

        Args:
            name: of the demo and of its namespace.
            pods: that it has, in the order of their names.
            running: whether they get what they want.
        """
        text = (DEMOS / f"{name}.yaml").read_text(encoding="utf-8")
        for shown, here in SHELLS.items():
            text = text.replace(shown, here)
        text = served_text(self.minor, text)
        demo = Demo(self, name)
        others = set(self.cdi_files())
        self.kubectl.apply(text)
        try:
            if running:
                demo.ready(*pods)
            yield demo
        finally:
            gone = ("--ignore-not-found", "--timeout=150s")
            self.kubectl.run("delete", "--filename=-", *gone, input=text)
            until("no CDI file of the demo", lambda: others.issuperset(self.cdi_files()), 60)

    def slices(self) -> list[JSON]:
        """Return the driver's ResourceSlices, as v1 has them."""
        names = {each.driver_name for each in CONTRACTS}
        found = self.kubectl.get("resourceslices")["items"]
        return [as_v1(each) for each in found if each["spec"]["driver"] in names]

    def devices(self) -> list[JSON]:
        """Return the devices in the slices, in their order."""
        slices = sorted(self.slices(), key=lambda each: str(each["metadata"]["name"]))
        return [dict(each) for s in slices for each in s["spec"].get("devices", ())]

    def cdi_files(self) -> list[str]:
        """Return the names of the driver's CDI files."""
        prefixes = tuple(each.cdi_file_prefix for each in CONTRACTS)
        return sorted(p.name for p in self.machine.cdi_dir.iterdir() if p.name.startswith(prefixes))

    def left(self) -> Mapping[str, list[str]]:
        """Return what is there of the driver, by kind."""
        kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,deviceclasses"
        more = "validatingadmissionpolicybindings,namespaces"
        named = self.kubectl.run("get", f"{kinds},{more}", "-o", "name").split()
        names = [NAME, *(each.driver_name for each in CONTRACTS)]
        return {
            "objects": [each for each in named if each.partition("/")[2].startswith(tuple(names))],
            "slices": [str(each["metadata"]["name"]) for each in self.slices()],
            "CDI files": self.cdi_files(),
            "sockets": sorted(str(path) for path in self._sockets()),
            "processes": [
                str(p.pid)
                for p in processes.table()
                if any(word.endswith(PROGRAMS) for word in p.words)
            ],
        }

    def _sockets(self) -> Iterator[Path]:
        for each in CONTRACTS:
            root, name = self.machine.kubelet_root, each.driver_name
            found = [*(root / "plugins_registry").glob(f"{name}*"), *root.glob(f"plugins/{name}/*")]
            yield from (path for path in found if path.is_socket())


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that is applied.

    Attributes:
        cluster: that it runs on.
        namespace: of the demo.
    """

    cluster: GpuCluster
    namespace: str

    def run(self, *args: str) -> str:
        """Run kubectl in the namespace of the demo."""
        return self.cluster.kubectl.run("--namespace", self.namespace, *args)

    def get(self, *args: str) -> JSON:
        """Return an object or list of the namespace."""
        found: JSON = json.loads(self.run("get", *args, "--output=json"))
        return found

    def ready(self, *pods: str, seconds: float = 90) -> None:
        """Wait until pods are Ready."""
        targets = [f"pod/{name}" for name in pods]
        self.run("wait", "--for=condition=Ready", f"--timeout={seconds:.0f}s", *targets)

    def phase(self, pod: str) -> str:
        """Return the phase of a pod."""
        return str((self.get(f"pod/{pod}").get("status") or {}).get("phase"))

    def printed(self, pod: str, container: str = "ctr0") -> str:
        """Return the log of a container as bash would have written it, once it has something."""

        def complete() -> str:
            first, again = (self.run("logs", pod, "-c", container) for _ in range(2))
            return first if first == again else ""

        return _EXPORTED.sub(r'declare -x \1="\2"', until("a log", complete))

    def env(self, pod: str, container: str = "ctr0") -> dict[str, str]:
        """Return the variables that a container has printed."""
        return dict(re.findall(r'^declare -x (\w+)="(.*)"$', self.printed(pod, container), re.M))

    def lines(self, pod: str, container: str = "ctr0") -> list[str]:
        """Return the lines of a log that README.md looks for."""
        found = self.printed(pod, container).splitlines()
        return sorted(each for each in found if re.search("GPU_DEVICE_[0-9]+", each))

    def gpus(self, pod: str, container: str = "ctr0") -> list[str]:
        """Return the names of the devices of a container."""
        env = self.env(pod, container)
        return sorted({v for n, v in env.items() if n.startswith("GPU_DEVICE_") and "gpu-" in v})

    def claims(self) -> list[JSON]:
        """Return the claims of the namespace."""
        return [dict(each) for each in self.get("resourceclaims")["items"]]

    def results(self) -> list[JSON]:
        """Return the devices of all claims of the namespace."""
        return [
            dict(each)
            for claim in self.claims()
            for each in claim["status"]["allocation"]["devices"]["results"]
        ]
