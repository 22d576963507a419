"""The directory in which container runtimes find our CDI specs.

Files appear and vanish whole, are read back before they are trusted, and files of ours that no
claim needs any more are collected. Called by `state` under its lock.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.contract import Contract
from api.objects import JSON, ClaimUID
from dra.devicestate import cdi
from dra.devicestate.cdirules import validate
from dra.devicestate.files import TEMPORARY_SUFFIX, Keep, read_regular, write_atomically
from dra.driver import Edits, PreparedClaim
from dra.errors import CdiWriteFailed

_MODE: Final = 0o644
_OURS: Final = (".json", ".yaml", TEMPORARY_SUFFIX)


@dataclass(frozen=True, slots=True)
class Differences:
    """How our files in a CDI directory differ from what prepared claims need.

    Attributes:
        missing: claims without file.
        wrong: claims whose file cannot be read, or says what no plugin has written.
        surplus: names of files that no claim needs.
    """

    missing: tuple[ClaimUID, ...]
    wrong: tuple[ClaimUID, ...]
    surplus: tuple[str, ...]


class CdiDirectory:
    """Our files in one CDI directory."""

    def __init__(
        self,
        root: Path,
        contract: Contract,
        common: Edits | None = None,
        former: Callable[[PreparedClaim], Collection[JSON]] = lambda _claim: (),
    ) -> None:
        """Manage the files of our kind in a directory.

        Args:
            root: the directory, which is made when it is missing.
            contract: of the driver.
            common: what the containers of every claim get by the common device; None for no such
                device.
            former: the specs that earlier releases wrote for a claim; they are renewed, not wrong.
        """
        self._root = root
        self._contract = contract
        self._common = None if common is None else cdi.common_spec(contract, common)
        self._former = former

    def ensure_common(self) -> None:
        """Make the node's own spec exist as it should be, if the driver has one.

        Raises:
            CdiWriteFailed: the directory is not writable.
        """
        if self._common is not None:
            self._ensure(cdi.common_file(self._contract), self._common)

    def ensure(self, claim: PreparedClaim) -> bool:
        """Make the claim's spec, and the node's, exist as they should be.

        Runtimes keep the directory on tmpfs, so a reboot takes files of prepared claims away.

        Returns:
            Whether the claim's file was missing or different.

        Raises:
            InvalidClaimUid: the uid cannot name a file.
            InvalidCdiSpec: e.g. the claim has no devices.
            CdiWriteFailed: the directory is not writable.
        """
        spec = self.check(claim)
        self.ensure_common()
        if spec is None:
            self.remove(claim.uid)
            return False
        return self._ensure(cdi.claim_file(self._contract, claim.uid), spec)

    def check_uid(self, uid: ClaimUID) -> None:
        """Check that a claim can have a file.

        Raises:
            InvalidClaimUid: the uid cannot name one.
        """
        self._file(uid)

    def check(self, claim: PreparedClaim) -> JSON | None:
        """Return the spec of a claim, which runtimes load; None if its devices edit nothing.

        Raises:
            InvalidClaimUid: the uid cannot name a file.
            InvalidCdiSpec: with everything that is wrong.
        """
        return cdi.check_claim(self._contract, claim)

    def compare(self, claims: Collection[PreparedClaim]) -> Differences:
        """Compare the files with the claims that should have one; nothing is changed.

        Raises:
            InvalidClaimUid: a uid cannot name a file.
            CdiWriteFailed: the directory cannot be read.
        """
        specs = self._specs(claims)
        present = {path.name for path in self._ours()}
        missing = [claim.uid for claim in claims if self._file(claim.uid) in specs.keys() - present]
        wrong = [
            claim.uid
            for claim in claims
            if (name := self._file(claim.uid)) in specs.keys() & present
            and (found := _read(self._root / name)) != specs[name]
            and found not in self._former(claim)
        ]
        surplus = sorted(present - self._needed(specs))
        return Differences(tuple(missing), tuple(wrong), tuple(surplus))

    def remove(self, uid: ClaimUID) -> None:
        """Remove the claim's spec; a missing one is fine.

        Raises:
            InvalidClaimUid: the uid cannot name a file.
            CdiWriteFailed: the file cannot be removed.
        """
        self._unlink(self._root / self._file(uid))

    def remove_common(self) -> None:
        """Remove the node's own spec; a missing one is fine.

        Raises:
            CdiWriteFailed: the file cannot be removed.
        """
        self._unlink(self._root / cdi.common_file(self._contract))

    def read(self, uid: ClaimUID) -> JSON | None:
        """Return what the claim's present file says, None if there is none to read.

        Raises:
            InvalidClaimUid: the uid cannot name a file.
        """
        return _read(self._root / self._file(uid))

    def read_common(self) -> JSON | None:
        """Return what the node's present file says, None if there is none to read."""
        return _read(self._root / cdi.common_file(self._contract))

    def claims(self) -> list[PreparedClaim]:
        """Return the claims that the present files are of, as far as these tell what they are.

        Raises:
            CdiWriteFailed: the directory cannot be read.
        """
        prefix, made = self._contract.cdi_file_prefix, []
        for path in self._ours():
            uid = ClaimUID(path.name.removeprefix(prefix).removesuffix(cdi.FILE_SUFFIX))
            spec = _read(path)
            claim = None if spec is None else cdi.claim_of(self._contract, uid, spec)
            if claim is not None and path.name == f"{prefix}{uid}{cdi.FILE_SUFFIX}":
                made.append(claim)
        return made

    def collect(self, keep: Iterable[PreparedClaim]) -> list[str]:
        """Remove our files that no claim of `keep` needs, and what killed writers left.

        Also files with the extension .yaml: drivers before this one wrote the same devices to
        them, and runtimes drop a device that two files define.

        Returns:
            The names of the removed files.

        Raises:
            CdiWriteFailed: the directory cannot be read, or a file not removed.
        """
        needed = self._needed(self._specs(keep))
        surplus = [path for path in self._ours() if path.name not in needed]
        for path in surplus:
            self._unlink(path)
        return [path.name for path in surplus]

    def _specs(self, claims: Iterable[PreparedClaim]) -> dict[str, JSON]:
        """Return the specs that there should be, by the names of their files."""
        found = ((claim.uid, cdi.claim_spec(self._contract, claim)) for claim in claims)
        return {self._file(uid): spec for uid, spec in found if spec is not None}

    def _needed(self, specs: Mapping[str, JSON]) -> set[str]:
        common = () if self._common is None else (cdi.common_file(self._contract),)
        return {*common, *specs}

    def _file(self, uid: ClaimUID) -> str:
        return cdi.claim_file(self._contract, uid)

    def _ours(self) -> list[Path]:
        try:
            found = sorted(self._root.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._failed(self._root, "listed", error) from error
        return [
            path
            for path in found
            if path.name.startswith(self._contract.cdi_file_prefix)
            and path.suffix in _OURS
            and (path.is_symlink() or not path.is_dir())
        ]

    def _ensure(self, name: str, spec: JSON) -> bool:
        path = self._root / name
        if _read(path) == spec:
            return False
        validate(spec)
        try:
            self._root.mkdir(mode=0o755, parents=True, exist_ok=True)
            # after a power cut it is made anew from the checkpoint, as on nodes that empty /run
            write_atomically(path, cdi.render(spec), mode=_MODE, keep=Keep.ANYTHING)
        except OSError as error:
            raise self._failed(path, "written", error) from error
        return True

    def _unlink(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise self._failed(path, "removed", error) from error

    def _failed(self, path: Path, verb: str, error: OSError) -> CdiWriteFailed:
        return CdiWriteFailed(
            f"CDI file {path} cannot be {verb}: {error.strerror or error}; make {self._root} a "
            "directory that the plugin may write, or set --cdi-root (CDI_ROOT) to one that the "
            "container runtime reads"
        )


def _read(path: Path) -> JSON | None:
    """Return the file's content, None for whatever has to be written anew."""
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
