"""Tells the kubelet who we are, and remembers what the kubelet made of it.

The kubelet finds the registration socket in its registrar directory, asks for the driver's name and
the path of the plugin socket, and reports whether it accepts them. A refusal does not end the
program, since kubelets up to 1.31 refuse while a former plugin is still registered, and ask again
when the socket is made anew. Called by gRPC, and by health checks.
Source: kubernetes pkg/kubelet/pluginmanager; k8s.io/kubelet/pkg/apis/pluginregistration/v1.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from dra.kubelet.protocol import pluginregistration_pb2 as messages
from dra.kubelet.services import Service, kubelets, supported_versions
from dra.kubelet.version import Kubelet
from dra.kubelet.wire import REGISTRATION, Handler, Method, service, shorten
from dra.metrics import PluginMetrics
from ops.logs import get_logger

PLUGIN_TYPE: Final = "DRAPlugin"
_UNKNOWN: Final = "the kubelet has not registered the plugin yet"
_LOG = get_logger("registration")


class Registration:
    """The registration service of one plugin socket; thread-safe."""

    def __init__(
        self,
        driver_name: str,
        endpoint: Path,
        kubelet: Kubelet,
        metrics: PluginMetrics,
        *,
        services: Sequence[Service[Any]],
        on_change: Callable[[], None],
        on_registered: Callable[[], None] = lambda: None,
    ) -> None:
        """Offer a plugin.

        Args:
            driver_name: as the kubelet is to know it.
            endpoint: absolute path of the plugin socket, as the kubelet sees it.
            kubelet: told when a kubelet, perhaps another one, asks.
            metrics: shows whether the plugin is registered.
            services: that the plugin socket serves.
            on_change: called after `refused` has changed.
            on_registered: called whenever a kubelet has registered the plugin; one that has
                started has deleted the ResourceSlices of its node. Returns at once.
        """
        self._driver_name = driver_name
        self._endpoint = endpoint
        self._kubelet = kubelet
        self._metrics = metrics
        self._services = services
        self._on_change = on_change
        self._on_registered = on_registered
        self._lock = threading.Lock()
        self._problem: str | None = _UNKNOWN

    def handlers(self) -> list[Handler]:
        """Return what a server has to be given to serve the registration."""
        methods: dict[str, Method[Any]] = {
            "GetInfo": Method(messages.InfoRequest, self.get_info),
            "NotifyRegistrationStatus": Method(messages.RegistrationStatus, self.notify),
        }
        return [service(REGISTRATION, methods)]

    @property
    def problem(self) -> str | None:
        """Why no kubelet calls us, None if one has registered us; a health check."""
        with self._lock:
            return self._problem

    @property
    def refused(self) -> bool:
        """Whether the kubelet has answered that it does not register us."""
        return self.problem not in (None, _UNKNOWN)

    def get_info(self, _request: messages.InfoRequest) -> Message:
        """Answer who we are."""
        self._kubelet.forget()
        _LOG.debug("Kubelet asks who we are", endpoint=str(self._endpoint))
        return messages.PluginInfo(
            type=PLUGIN_TYPE,
            name=self._driver_name,
            endpoint=str(self._endpoint),
            supported_versions=supported_versions(self._services),
        )

    def notify(self, status: messages.RegistrationStatus) -> Message:
        """Take note of the kubelet's decision."""
        problem = None if status.plugin_registered else self._refusal(status.error)
        if problem is None:
            _LOG.info("Registered by the kubelet", endpoint=str(self._endpoint))
        else:
            _LOG.error("Not registered by the kubelet", reason=problem)
        before = self.refused
        with self._lock:
            self._problem = problem
        self._metrics.registered(problem is None)
        if self.refused != before:
            self._on_change()
        if problem is None:
            self._on_registered()
        return messages.RegistrationStatusResponse()

    def _refusal(self, reason: str) -> str:
        return (
            "the kubelet refuses to register the plugin: "
            f"{shorten(reason) or 'no reason given'}; it needs Kubernetes "
            f"{kubelets(self._services)} and no other plugin of this name on the node"
        )
