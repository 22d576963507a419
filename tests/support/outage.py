"""The driver's programs behind an API server that is away, late or busy, while a demo lives."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from api.contract import FAKE
from devcluster.cluster import kubeconfig
from devcluster.manifests import SYSTEM_NAMESPACE, install
from devcluster.programs import Program, Supervisor, driver_programs
from ops.lifecycle import Lifecycle
from tests.support.demolife import STEPS, said, violations
from tests.support.embedded import Embedded, embedded
from tests.support.sickapi import SickApi


@contextmanager
def behind_proxy(state_dir: Path, *, nodes: int = 2) -> Iterator[tuple[Embedded, SickApi]]:
    """Run a cluster whose driver alone reaches the API server through a proxy."""
    with embedded(state_dir, nodes=nodes, driver=False) as cluster:
        server = json.loads(cluster.config.kubeconfig.read_text())["clusters"][0]["cluster"]
        api = SickApi(server["server"])
        path = state_dir / "kubeconfig-of-proxy"
        path.write_text(json.dumps(kubeconfig(api.url)))
        try:
            with driven(cluster, path):
                yield cluster, api
        finally:
            api.close()


@contextmanager
def driven(cluster: Embedded, path: Path) -> Iterator[None]:
    """Run the driver on a cluster that has none, by this kubeconfig, with what is missing made."""
    install(cluster.client, FAKE.driver_name)
    life = Lifecycle()
    try:
        _start(life, cluster, path)
        cluster.session.nodes_ready(cluster.config.nodes)
        yield
    finally:
        life.stop.set()
        life.wait()


def lived_through(
    cluster: Embedded,
    sick: Callable[[], AbstractContextManager[None]],
    *,
    pause: float = 0.0,
    seconds: float | None = None,
) -> list[str]:
    """Bring a demo up and down with a sick API server.

    Args:
        cluster: whose driver meets it.
        sick: makes it sick while a context lasts.
        pause: seconds of each step before that.
        seconds: that it lasts; None is until the step is over.

    Returns:
        What was wrong or lost, also programs that ended.
    """
    before = {program: cluster.pid(program) for program in cluster.programs}
    found: list[str] = []
    for begin, finish in STEPS:
        try:
            begin(cluster)
            time.sleep(pause)
            with sick():
                found += finish(cluster) if seconds is None else _nothing_for(seconds)
            found += [*finish(cluster), *violations(cluster)]
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the table
            found.append(said(error))
    ended = [program for program, pid in before.items() if cluster.pid(program) != pid]
    return [*found, *(f"{program} has ended" for program in ended)]


def _nothing_for(seconds: float) -> list[str]:
    time.sleep(seconds)
    return []


def _start(life: Lifecycle, cluster: Embedded, path: Path) -> None:
    for program in driver_programs(cluster.config, SYSTEM_NAMESPACE):
        env = {**program.env, "KUBECONFIG": str(path)}
        supervisor = Supervisor(Program(program.name, program.module, env), cluster.config)
        life.spawn(program.name, supervisor.run)
        life.on_stop(program.name, supervisor.stop)
