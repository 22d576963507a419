"""Puts the parts of the page together."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api import __version__
from api.claims.versions import CLASSIC, STRUCTURED, choose
from api.contract import Contract
from api.errors import UnsupportedVersion
from api.names import RESOURCE_GROUP
from api.objects import JSON
from api.resources import Resource
from explain.features import features
from explain.reading import Reading
from kube.client import Client
from kube.errors import KubeError
from ops.config import ServingConfig
from ops.discovery import PERIOD_SECONDS, kind_of
from ops.lifecycle import Lifecycle
from ops.logs import get_logger
from ops.metrics import Metrics
from ops.serving import connect, serve_http
from ops.webserver import WebProgram
from ui.app import Shown, create_app
from ui.board import Board
from ui.caches import CachedApi, Caches, taint_rules
from ui.details import Details
from ui.explaining import Explaining
from ui.hosts import Hosts
from ui.lives import Lives
from ui.marks import Marks
from ui.picture import Picture
from ui.rows import Rows

_NAME: Final = "fake-dra-ui"
_LOG = get_logger("ui")


@dataclass(frozen=True, slots=True)
class Served:
    """What an API server has.

    Attributes:
        version: of resource.k8s.io.
        server: answer of `GET /version`.
        rules: DeviceTaintRules, None if it has none.
    """

    version: str
    server: JSON
    rules: Resource | None

    @property
    def minor(self) -> int:
        """Of Kubernetes 1.x."""
        digits = "".join(filter(str.isdigit, str(self.server.get("minor", ""))))
        return int(digits or 0)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is shown.

    Attributes:
        served: by the API server.
        contract: of our driver, where a controller allocates.
        namespace: whose claims and pods are shown; empty is all.
        gates: feature gates as the caller knows them.
    """

    served: Served
    contract: Contract
    namespace: str
    gates: Mapping[str, bool]


def served_by(client: Client) -> Served:
    """Return what the API server has.

    Raises:
        UnsupportedVersion: it has no claims that are known here.
        KubeError: it does not answer.
    """
    server = client.server_version()
    version = choose(client.versions(RESOURCE_GROUP), (*STRUCTURED, *CLASSIC), server)
    return Served(version, server, None if version in CLASSIC else taint_rules(client))


def build(
    life: Lifecycle,
    config: ServingConfig,
    metrics: Metrics,
    subject: Subject,
    hosts: Hosts,
    now: Callable[[], datetime],
) -> WebProgram:
    """Return the program; nothing is started yet.

    Args:
        life: of the program.
        config: where the API server is, and where health and metrics are served.
        metrics: of the program.
        subject: what is shown.
        hosts: for which requests are answered.
        now: the time.
    """
    agent = f"{_NAME}/{__version__}"
    client = connect(life, config, metrics, user_agent=agent, logger="ui")
    served, contract, board = subject.served, subject.contract, Board()
    caches = Caches(client, served.version, subject.namespace, served.rules)
    marks, rows = Marks(caches), Rows(caches, contract)
    lives = Lives(caches, rows, contract, lambda: f"{now():%Y-%m-%dT%H:%M:%SZ}")
    picture = Picture(caches, marks, rows, lives, board, _about(subject, client.url))
    details = Details(caches, rows, contract, features(served.minor, subject.gates, {}))
    api = CachedApi(client, caches)
    explaining = Explaining(lambda: Reading(api, subject.gates, now), contract)
    shown = Shown(board, details, explaining, now, life.stop)
    parts = _Parts(life, client, served.version, caches, marks, picture, board)

    def start() -> None:
        board.begin(int(now().timestamp() * 1000))
        serve_http(life, config, metrics, {"caches": caches.ready})
        parts.start()

    return WebProgram(life, create_app(shown, hosts), start)


def _about(subject: Subject, url: str) -> JSON:
    """Return what the page says of the cluster itself."""
    return {
        "kubernetes": str(subject.served.server.get("gitVersion", "")),
        "version": subject.served.version,
        "kind": kind_of(subject.served.version),
        "namespace": subject.namespace,
        "server": url,
    }


@dataclass(frozen=True, slots=True)
class _Parts:
    """What runs beside the server."""

    life: Lifecycle
    client: Client
    version: str
    caches: Caches
    marks: Marks
    picture: Picture
    board: Board

    def start(self) -> None:
        life = self.life
        life.on_stop("watches", self.caches.stop)
        for name, body in self.caches.threads(life.stop):
            life.spawn(name, body)
        life.spawn("picture", lambda: self.picture.run(life.stop))
        life.spawn("waker", self._wake)
        life.spawn("version", lambda: _until_changed(self.client, self.version, life.stop))

    def _wake(self) -> None:
        """Let who waits see that it is over, before the server waits for its answers."""
        self.life.stop.wait()
        self.board.wake()
        self.marks.wake()


def _until_changed(client: Client, version: str, stop: threading.Event) -> None:
    """End the program once the API server has another version of claims, as after an upgrade."""
    while not stop.wait(PERIOD_SECONDS):
        try:
            found = served_by(client).version
        except (KubeError, UnsupportedVersion) as error:
            _LOG.debug("No usable version at this moment", error=str(error))
            continue
        if found != version:
            _LOG.info("Ending, to be started anew", version=found, before=version)
            stop.set()
