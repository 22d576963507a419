"""Turns a container's manifest into a command to execute, with what the claims add to it.

The pod worker asks for a Launch each time it starts a container, because CDI specs are read then.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from api.objects import JSON
from api.pods import Pod
from devcluster.kubelet.cdiresolver import ContainerEdits, resolve
from devcluster.kubelet.containerenv import IDLE_COMMAND, command_line, environment
from devcluster.kubelet.layout import PodDirectory
from devcluster.kubelet.runtime import Launch


def _which(command: str, path: str) -> str | None:
    return shutil.which(command, path=path)


@dataclass(frozen=True, slots=True)
class Launcher:
    """What containers of a node have in common.

    Attributes:
        cdi_directories: of spec files, a later one wins.
        address: of every pod, in the machine's network.
        service: variables that lead to the API server.
        which: finds an executable on a search path.
    """

    cdi_directories: Sequence[Path]
    address: str
    service: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    which: Callable[[str, str], str | None] = _which

    def launch(
        self,
        pod: Pod,
        container: JSON,
        *,
        directory: PodDirectory,
        run: int,
        devices: Sequence[str],
    ) -> Launch:
        """Return what to execute.

        Args:
            pod: the pod.
            container: of its spec.
            directory: of the pod.
            run: how often the container ran before.
            devices: CDI ids.

        Raises:
            UnresolvableDevices: a CDI id is not defined.
            InvalidContainer: the manifest asks for what does not exist here.
        """
        name = container["name"]
        home = directory.work(name)
        edits = resolve(self.cdi_directories, devices)
        env = environment(
            pod,
            container,
            home=str(home),
            address=self.address,
            cdi=edits.env,
            service=self.service,
        )
        argv = command_line(container, env, lambda word: self.which(word, env["PATH"]))
        return Launch(argv, env, home, directory.log(name, run), _note(argv, edits))


def _note(argv: Sequence[str], edits: ContainerEdits) -> str:
    """Tell the reader of the log what is not as in a real container."""
    if edits.ignored:
        return f"[devcluster] CDI edits without effect on a process: {', '.join(edits.ignored)}"
    if tuple(argv) == IDLE_COMMAND:
        return "[devcluster] no command in the manifest, and images are not opened: sleeping"
    return ""
