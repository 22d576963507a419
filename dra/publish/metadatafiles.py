"""Files by which containers learn about their devices, and the CDI files that mount them.

A container is better without them than not started: what cannot be written is told in the log.
Running containers keep the version of a file that they were started with, since a file that is
mounted does not follow what is put in its place.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import Final

from api.claims.view import ClaimView
from api.objects import JSON, ClaimUID
from dra.devicestate import cdi
from dra.devicestate.files import TEMPORARY_SUFFIX, Keep, read_regular, write_atomically
from dra.driver import Metadata, PreparedClaim
from dra.errors import CdiWriteFailed, InvalidCdiSpec
from dra.publish import devicemetadata
from dra.publish.devicemetadata import HOST_DIRECTORY, HOST_FILE, Described, cdi_spec
from ops.logs import get_logger

_LOG: Final = get_logger("metadata")
_MODE: Final = 0o644
_DIRECTORY_MODE: Final = 0o755


class MetadataFiles:
    """The files of a driver on a node. One call at a time for a claim."""

    def __init__(self, driver: str, source: Metadata, directory: Path, cdi_root: Path) -> None:
        """Change nothing yet.

        Args:
            driver: its name.
            source: what is known of the devices.
            directory: of the plugin.
            cdi_root: of the CDI files.
        """
        self._driver = driver
        self._source = source
        self._directory = directory
        self._cdi_root = cdi_root

    def prepared(self, claim: ClaimView) -> Mapping[str, str]:
        """Write the files of a claim.

        Returns:
            By request, the CDI id that its containers need; none of what could not be written.
        """
        try:
            return {
                said.base: self._write(said)
                for said in list(devicemetadata.described(self._source, self._driver, claim))
            }
        except BaseException as error:  # noqa: BLE001 - also what the driver raises
            _LOG.error("No metadata", exc=error, claim=f"{claim.namespace}/{claim.name}")
            return {}

    def removed(self, claim: PreparedClaim) -> None:
        """Remove the files of a claim; none are fine.

        Raises:
            CdiWriteFailed: one is left.
        """
        try:
            for path in self._cdi_files():
                if devicemetadata.uid_of_file(self._driver, path.name) == claim.uid:
                    path.unlink(missing_ok=True)
            for path in self._host_files(f"{claim.namespace}_{claim.name}" if claim.name else "*"):
                said = _read(path)
                if said is None or said.uid == claim.uid:
                    _remove(path)
        except OSError as error:
            raise CdiWriteFailed(
                f"the metadata of {claim} cannot be removed: {error}; make {self._cdi_root} and "
                f"{self._directory / HOST_DIRECTORY} writable"
            ) from error

    def recover(self, claims: Iterable[PreparedClaim]) -> None:
        """Make the CDI files of prepared claims again, and remove what others have left.

        To be called while no claim is prepared or unprepared.
        """
        try:
            needed = self._recover_host({claim.uid for claim in claims})
            for path in self._cdi_files():
                if path.name not in needed:
                    path.unlink(missing_ok=True)
        except OSError as error:
            _LOG.warning("Metadata not recovered", err=str(error))

    def _recover_host(self, uids: Collection[ClaimUID]) -> set[str]:
        """Remove files of other claims; return the names of the CDI files of the rest."""
        needed = set()
        for path in self._host_files("*"):
            said = _read(path)
            if said is None or said.uid not in uids or self._directory / said.host_file != path:
                _remove(path)
                continue
            with suppress(InvalidCdiSpec):
                needed.add(self._mount(said, cdi_spec(self._driver, said, self._directory)))
        return needed

    def _write(self, said: Described) -> str:
        path = self._directory / said.host_file
        had = _read(path)
        if had is not None and had.uid == said.uid:
            said = replace(said, generation=had.generation)
            if said.content() != had.content():
                said = replace(said, generation=had.generation + 1)
        # first, so that nothing is written that no runtime would load
        spec = cdi_spec(self._driver, said, self._directory)
        if had is None or said.content() != had.content():
            path.parent.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
            write_atomically(path, said.content(), mode=_MODE, keep=Keep.ANYTHING)
        self._mount(said, spec)
        return devicemetadata.cdi_id(self._driver, said.uid, said.base)

    def _mount(self, said: Described, spec: JSON) -> str:
        """Make the CDI file of a request say what it has to; return its name."""
        name = devicemetadata.cdi_file(self._driver, said.uid, said.base)
        path, content = self._cdi_root / name, cdi.render(spec)
        if _content(path) != content:
            self._cdi_root.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
            write_atomically(path, content, mode=_MODE, keep=Keep.ANYTHING)
        return name

    def _cdi_files(self) -> list[Path]:
        """Return the CDI files of this driver's metadata, also what killed processes left."""
        names = devicemetadata.cdi_file(escape(self._driver), ClaimUID("*"), "*")
        return [*self._cdi_root.glob(names), *self._cdi_root.glob(f"{names}.*{TEMPORARY_SUFFIX}")]

    def _host_files(self, claim: str) -> list[Path]:
        """Return the files of a claim, or with `*` of all."""
        found = (self._directory / HOST_DIRECTORY).glob(f"{claim}/*/{HOST_FILE}*")
        return list(found)


def _content(path: Path) -> bytes | None:
    """Return what is in a file, None if that cannot be told."""
    try:
        return read_regular(path)
    except OSError:
        return None


def _read(path: Path) -> Described | None:
    content = _content(path)
    return devicemetadata.parse(content) if content is not None else None


def _remove(path: Path) -> None:
    """Remove a file, and the directories of its request and claim if nothing else is in them."""
    path.unlink(missing_ok=True)
    for directory in path.parents[:2]:
        with suppress(OSError):
            directory.rmdir()
