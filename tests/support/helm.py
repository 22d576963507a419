"""Renders and lints a chart with the real helm."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from api.objects import JSON


class HelmFailed(AssertionError):
    """helm ended with another exit code than 0; the message is what it wrote."""


class Helm:
    """One helm program with one chart."""

    def __init__(self, binary: Path | str, chart: Path | str) -> None:
        """Use these files."""
        self._binary = str(binary)
        self._chart = str(chart)

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
            options: of `helm template`, such as `--api-versions=…` and `--include-crds`.
            name: of the release.
            namespace: of the release.

        Raises:
            HelmFailed: the chart does not render with these values.
        """
        place = f"--namespace={namespace}"
        text = self._run(values, "template", name, self._chart, place, *options)
        return [document for document in yaml.safe_load_all(text) if document]

    def lint(self, values: Mapping[str, object] | None = None) -> str:
        """Lint the chart; warnings count as errors.

        Raises:
            HelmFailed: with what helm found.
        """
        return self._run(values, "lint", "--strict", self._chart)

    def _run(self, values: Mapping[str, object] | None, *command: str) -> str:
        ended = subprocess.run(
            [self._binary, *command, "--values=-"],
            input=yaml.safe_dump(dict(values or {})),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if ended.returncode:
            raise HelmFailed(f"{ended.stdout}{ended.stderr}".strip())
        return ended.stdout
