"""Where everything of the cluster is on this machine.

Two directories are its own: a cache, which outlives the cluster, and a state directory, which does
not. The others are the well-known ones that drivers and charts count on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster.versions import Version

ROOT = Path(__file__).parents[3]
"""Of the project."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories of one cluster.

    Attributes:
        cache: builds and images; may be deleted while the cluster is down.
        state: of the cluster that is up; absent while none is.
        kubelet_root: of the kubelet.
        cdi: the directory of CDI files that goes with a reboot.
        tools: has kubectl and helm.
    """

    cache: Path
    state: Path
    kubelet_root: Path = Path("/var/lib/kubelet")
    cdi: Path = Path("/var/run/cdi")
    tools: Path = ROOT / ".bin"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Layout":
        """Return the layout that $FAKE_DRA_E2E_CACHE and $FAKE_DRA_E2E_STATE ask for."""
        home = Path(environment.get("HOME") or Path.home())
        cache = environment.get("FAKE_DRA_E2E_CACHE") or home / ".cache" / "fake-dra-e2e"
        state = environment.get("FAKE_DRA_E2E_STATE") or "/var/lib/fake-dra-e2e"
        return cls(Path(cache).absolute(), Path(state).absolute())

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator."""
        return self.pki / "admin.kubeconfig"

    @property
    def volume_plugins(self) -> Path:
        """Empty; without it, programs would make a directory elsewhere on the host."""
        return self.state / "volume-plugins"

    @property
    def etcd(self) -> Path:
        """What etcd stores."""
        return self.state / "etcd"

    @property
    def etcd_backup(self) -> Path:
        """A copy of that; absent until there is one."""
        return self.state / "etcd-backup"

    @property
    def pki(self) -> Path:
        """Keys, certificates and kubeconfigs."""
        return self.state / "pki"

    @property
    def audit_policy(self) -> Path:
        """What the API server writes down."""
        return self.state / "audit-policy.json"

    @property
    def audit_log(self) -> Path:
        """Where it does; older parts have a date in their names."""
        return self.state / "audit" / "audit.log"

    @property
    def kubectl(self) -> Path:
        """The program."""
        return self.tools / "kubectl"

    @property
    def helm(self) -> Path:
        """The program."""
        return self.tools / "helm"

    @property
    def images(self) -> Path:
        """Archives of images; `up` loads all of them."""
        return self.cache / "images"

    @property
    def containerd_programs(self) -> Path:
        """Directory of containerd, its shim and ctr."""
        return self.cache / "containerd"

    @property
    def containerd_socket(self) -> Path:
        """Of containerd; its shims carry it in their arguments."""
        return self.state / "containerd.sock"

    @property
    def containerd_run(self) -> Path:
        """What containerd and runc know of running containers; goes with a reboot."""
        return self.state / "containerd-run"

    def kubernetes_programs(self, version: Version) -> Path:
        """Directory of the programs of Kubernetes."""
        return self.cache / f"kubernetes-{version}"
