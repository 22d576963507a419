"""The cluster as a whole: what fixtures of tests and the command line use.

    cluster = Cluster(Layout.from_environment(os.environ), versions.parse("1.30"))
    cluster.build()
    cluster.up()
    try:
        cluster.kubectl("get", "nodes")
    finally:
        cluster.down()

There is one cluster at a time on a machine. It outlives the process that raised it, and any process
may go on with it: all that there is to know is in the state directory.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from api.objects import JSON
from tests.e2e.cluster import (
    audit,
    containerd,
    controlplane,
    footprint,
    gobuild,
    imagebuild,
    images,
    kubelet,
    network,
    packages,
    processes,
)
from tests.e2e.cluster.administrator import Administrator
from tests.e2e.cluster.certificates import Authority
from tests.e2e.cluster.commands import Progress, run
from tests.e2e.cluster.components import NODE, Components
from tests.e2e.cluster.errors import AlreadyUp, NotBuilt, NotUp, Unsuitable
from tests.e2e.cluster.footprint import Footprint
from tests.e2e.cluster.layout import ROOT, Layout
from tests.e2e.cluster.mounts import unmount_below
from tests.e2e.cluster.versions import Version, gates_text, parse
from tools import fetch_kubectl

NODE_NAME = "node-1"


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the cluster that is up.

    Attributes:
        version: of Kubernetes.
        components: whether each of them runs, by name.
        node_ready: whether the API server says that the node is Ready.
    """

    version: Version
    components: Mapping[str, bool]
    node_ready: bool


class Cluster:
    """One single-node cluster on this machine."""

    def __init__(self, layout: Layout, version: Version, progress: Progress | None = None) -> None:
        """Nothing happens yet.

        Args:
            layout: where everything is.
            version: of Kubernetes.
            progress: told each step; by default standard error is.
        """
        self.layout = layout
        self.version = version
        self._progress = progress or Progress()
        self._pki = Authority(layout.pki)
        self._administrator = Administrator(layout)
        self._components = Components(layout, version, self._pki, NODE_NAME)

    @classmethod
    def existing(cls, layout: Layout, progress: Progress | None = None) -> "Cluster":
        """Return the cluster that is up, or was not taken down cleanly.

        Raises:
            NotUp: there is none.
        """
        try:
            text = (layout.state / "version").read_text(encoding="ascii")
        except FileNotFoundError as error:
            raise NotUp("no cluster is up; raise one with `up`") from error
        return cls(layout, parse(*text.split()), progress=progress)

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator."""
        return self.layout.kubeconfig

    @property
    def cdi_dir(self) -> Path:
        """The directory of CDI files on the node."""
        return self.layout.cdi

    @property
    def kubelet_root(self) -> Path:
        """The root directory of the kubelet on the node."""
        return self.layout.kubelet_root

    def build(self) -> None:
        """Build and install what `up` needs and is not there yet.

        Raises:
            ClusterError: with what failed; calling it again goes on from there.
        """
        packages.install(packages.NODE, self._progress)
        release = self.layout.kubernetes_programs(self.version)
        self._build_programs(gobuild.containerd(), self.layout.containerd_programs)
        self._build_programs(gobuild.kubernetes(self.version), release)
        images.make(self.layout, self._progress)
        if fetch_kubectl.main([str(self.layout.tools)]):
            raise NotBuilt(f"kubectl and helm are not in {self.layout.tools}")

    def check(self) -> None:
        """Refuse to raise a cluster here; nothing is changed.

        Raises:
            AlreadyUp: there is one.
            NotBuilt: `build` has to come first.
            Unsuitable: this machine cannot be a node.
        """
        if os.geteuid() != 0:
            raise Unsuitable("root is needed to raise a node")
        if self.layout.state.exists():
            raise AlreadyUp("a cluster is up, or was not taken down cleanly; use `down` first")
        programs = self.layout.kubernetes_programs(self.version)
        needed = [programs / "kubelet", self.layout.containerd_programs / "ctr"]
        if missing := [str(p) for p in [*needed, self.layout.kubectl] if not p.exists()]:
            raise NotBuilt(f"{', '.join(missing)} is not there; use `build` first")

    def up(self) -> None:
        """Raise the cluster and wait until its node is Ready.

        Raises:
            AlreadyUp: as `check`.
            NotBuilt: as `check`.
            Unsuitable: as `check`.
            ClusterError: with what failed; `logs` shows more, and `down` cleans up.
        """
        self.check()
        with self._progress.step(f"prepare the node for Kubernetes {self.version}"):
            self._prepare()
        with self._progress.step("start the control plane"):
            for name in controlplane.STARTING_ORDER:
                self.start(name)
        with self._progress.step("start containerd and load images"):
            self.start(containerd.NAME)
            for archive in sorted(self.layout.images.glob("*.tar")):
                containerd.load(self.layout, archive)
        with self._progress.step("start the kubelet"):
            self.start(kubelet.NAME)

    def down(self) -> None:
        """Take the cluster down, with all that it left on the host; nothing if none is up.

        Raises:
            ClusterError: something could not be removed; calling it again is fine.
        """
        if not self.layout.state.exists():
            return
        with self._progress.step("take the cluster down"):
            self._clear_node()
            self._components.stop_all()
            network.delete()
            footprint.remove_cgroups()
            if (before := self.layout.state / "footprint.json").exists():
                Footprint.load(before).erase()
            shutil.rmtree(self.layout.state)

    def start(self, component: str) -> None:
        """Start a component and wait until it works; nothing happens to one that runs.

        Raises:
            NotReady: it did not come to work; the message ends with its log.
        """
        self._components.start(component)

    def stop(self, component: str) -> None:
        """Stop a component; containers go on without kubelet and containerd."""
        self._components.stop(component)

    def restart(self, component: str) -> None:
        """Stop and start a component, and wait until it works again.

        Raises:
            NotReady: it did not come to work; the message ends with its log.
        """
        with self._progress.step(f"restart {component}"):
            self.stop(component)
            self.start(component)

    def replace(self, *components: str) -> None:
        """Go on with components of this version in the place of those that run, of any version.

        Args:
            components: in the order in which they are started; they are stopped in the other.

        Raises:
            NotReady: one did not come to work; the message ends with its log.
        """
        for name in reversed(components):
            self.stop(name)
        kubelet.write_config(self.layout, self.version, self._pki)
        for name in components:
            self.start(name)

    def reboot(self, *, keep_sockets: bool = False) -> None:
        """Do to the node what a reboot does; the control plane goes on.

        The processes of all pods end at once. The CDI directory is empty afterwards, what pods had
        mounted is not mounted any more, and what containerd knew of running containers is lost.
        What is on disk stays: the checkpoints of kubelet and plugins, images, log files.

        Args:
            keep_sockets: leave the sockets of plugins as dead files, as a power cut does.

        Raises:
            NotReady: the node did not come back.
        """
        with self._progress.step("reboot the node"):
            self._clear_node()
            footprint.empty(self.layout.cdi)
            if not keep_sockets:
                kubelet.remove_sockets(self.layout.kubelet_root)
            for name in reversed(NODE):
                self.start(name)

    def back_up(self) -> None:
        """Copy the data of etcd, which is down meanwhile; an older copy is forgotten.

        Raises:
            NotReady: the API server did not come back.
        """
        with self._progress.step("back etcd up"):
            self.stop(controlplane.ETCD)
            shutil.rmtree(self.layout.etcd_backup, ignore_errors=True)
            shutil.copytree(self.layout.etcd, self.layout.etcd_backup)
            self.start(controlplane.ETCD)
            self._components.wait(controlplane.API_SERVER)

    def restore(self) -> None:
        """Put the copy of `back_up` in the place of etcd's data, and restart what uses it.

        Containers go on, and so does whatever in them watches the API server.

        Raises:
            NotReady: the control plane or the node did not come back.
        """
        with self._progress.step("restore etcd"):
            for name in (kubelet.NAME, *reversed(controlplane.STARTING_ORDER)):
                self.stop(name)
            shutil.rmtree(self.layout.etcd)
            shutil.copytree(self.layout.etcd_backup, self.layout.etcd)
            for name in (*controlplane.STARTING_ORDER, kubelet.NAME):
                self.start(name)

    def status(self) -> Status:
        """Return what is known of the cluster that is up."""
        running = self._components.running()
        return Status(self.version, running, self._administrator.node_ready(NODE_NAME))

    def logs(self, component: str, lines: int = 50) -> str:
        """Return the last lines that a component wrote."""
        return self._components.log(component, lines)

    def audited(self) -> list[JSON]:
        """Return the audit events of the API server so far, as tests.e2e.cluster.audit asks."""
        return audit.events(self.layout)

    def load_image(self, archive: Path) -> None:
        """Load the images of a tar file, as `docker save` writes it, into the node.

        Raises:
            CommandFailed: containerd does not run, or refused it.
        """
        with self._progress.step(f"load {archive.name}"):
            containerd.load(self.layout, archive)

    def build_image(
        self, image: str, context: Path = ROOT, arguments: Mapping[str, str] | None = None
    ) -> Path:
        """Build an image, load it if the cluster is up, and return its archive.

        Args:
            image: name and tag.
            context: directory with the Dockerfile.
            arguments: build arguments.

        Raises:
            CommandFailed: the build failed; the message ends with what it wrote last.
        """
        archive = imagebuild.build(self.layout, context, image, arguments or {}, self._progress)
        if self._components.running()[containerd.NAME]:
            self.load_image(archive)
        return archive

    def kubectl(self, *argv: str) -> str:
        """Run kubectl as the administrator and return what it writes.

        Raises:
            CommandFailed: with what it wrote.
        """
        return self._administrator.kubectl(*argv)

    def in_node(self, *argv: str) -> str:
        """Run a command in the network of the node and return what it writes.

        Raises:
            CommandFailed: with what it wrote.
        """
        return run(*network.inside(*argv))

    def _build_programs(self, source: gobuild.Source, programs: Path) -> None:
        sources = self.layout.cache / "src" / programs.name
        gobuild.build(source, sources, programs, self._progress)

    def _prepare(self) -> None:
        owned = [self.layout.kubelet_root, self.layout.cdi]
        before = footprint.take([*owned, *footprint.OWNED], footprint.SHARED)
        self.layout.state.mkdir(mode=0o755, parents=True)
        before.save(self.layout.state / "footprint.json")
        raised = f"{self.version} {gates_text(self.version.switched)}"
        (self.layout.state / "version").write_text(raised, encoding="ascii")
        for directory in owned:
            directory.mkdir(parents=True, exist_ok=True)
        network.create()
        self._pki.issue_all(NODE_NAME)
        audit.write_policy(self.layout)
        containerd.write_config(self.layout)
        kubelet.write_config(self.layout, self.version, self._pki)

    def _clear_node(self) -> None:
        """Stop everything on the node and forget what ran there."""
        for name in NODE:
            self.stop(name)
        processes.kill_pods(self.layout.containerd_socket)
        for directory in (self.layout.containerd_run, self.layout.kubelet_root):
            unmount_below(directory)
        shutil.rmtree(self.layout.containerd_run, ignore_errors=True)
