"""Renders, lints and installs a chart with the real helm."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from api.objects import JSON

_SECONDS = 120
_KUBERNETES = "v1.30.0"
"""Without a version Helm takes the newest that it knows, which each Helm says differently."""


class HelmFailed(AssertionError):
    """helm ended with another exit code than 0; the message is what it wrote."""


class Helm:
    """One helm program with one chart."""

    def __init__(
        self,
        binary: Path | str,
        chart: Path | str,
        *,
        kubeconfig: Path | None = None,
        kubernetes: str = _KUBERNETES,
    ) -> None:
        """Use these files; without a kubeconfig nothing can be installed.

        Args:
            binary: of helm.
            chart: a directory.
            kubeconfig: of a cluster.
            kubernetes: version that charts are rendered for without a cluster.
        """
        self._offline = f"--kube-version={kubernetes}"
        self._binary = str(binary)
        self._chart = str(chart)
        self._cluster = [] if kubeconfig is None else [f"--kubeconfig={kubeconfig}"]

    def template(
        self,
        values: Mapping[str, object] | None = None,
        *options: str,
        name: str = "fake-dra-driver",
        namespace: str = "fake-system",
    ) -> list[JSON]:
        """Return the objects that an installation with these values would create.

        Args:
            values: over the chart's own.
            options: of `helm template`, such as `--kube-version=…`, by default that of `__init__`.
            name: of the release.
            namespace: of the release.

        Raises:
            HelmFailed: the chart does not render with these values.
        """
        place = f"--namespace={namespace}"
        text = self._run(values, "template", name, self._chart, place, self._offline, *options)
        return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]

    def lint(self, values: Mapping[str, object] | None = None, *options: str) -> str:
        """Lint the chart; warnings count as errors.

        Args:
            values: over the chart's own.
            options: of `helm lint`.

        Raises:
            HelmFailed: with what helm found.
        """
        return self._run(values, "lint", "--strict", self._offline, *options, self._chart)

    def install(self, name: str, namespace: str, values: Mapping[str, object]) -> None:
        """Install or upgrade a release and wait until its pods are Ready.

        Raises:
            HelmFailed: the cluster refused something, or the pods do not come up.
        """
        place = [f"--namespace={namespace}", "--create-namespace"]
        wait = ["--wait", f"--timeout={_SECONDS}s", *self._cluster]
        self._run(values, "upgrade", "--install", name, self._chart, *place, *wait)

    def uninstall(self, name: str, namespace: str) -> None:
        """Uninstall a release and wait until its objects are gone.

        Raises:
            HelmFailed: with what helm found.
        """
        wait = ["--wait", f"--timeout={_SECONDS}s", *self._cluster]
        self._call("uninstall", name, f"--namespace={namespace}", *wait)

    def _run(self, values: Mapping[str, object] | None, *command: str) -> str:
        return self._call(*command, "--values=-", given=yaml.safe_dump(dict(values or {})))

    def _call(self, *command: str, given: str = "") -> str:
        ended = subprocess.run(
            [self._binary, *command],
            input=given,
            capture_output=True,
            text=True,
            timeout=_SECONDS + 30,
            check=False,
        )
        if ended.returncode:
            raise HelmFailed(f"{ended.stdout}{ended.stderr}".strip())
        return ended.stdout
