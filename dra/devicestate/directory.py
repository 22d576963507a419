"""The directory in which container runtimes find our CDI specs.

Files appear and vanish whole, are read back before they are trusted, and files of ours that no
claim needs any more are collected. Called by `state` under its lock.
"""

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.contract import Contract
from api.objects import JSON, ClaimUID, NodeName
from dra.devicestate import cdi
from dra.devicestate.files import TEMPORARY_SUFFIX, read_regular, write_atomically
from dra.devicestate.prepared import PreparedClaim
from dra.errors import CdiWriteFailed

_MODE: Final = 0o644
_OURS: Final = (".json", ".yaml", TEMPORARY_SUFFIX)


@dataclass(frozen=True, slots=True)
class Survey:
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

    def __init__(self, root: Path, node: NodeName, contract: Contract) -> None:
        """Manage the files of our kind in `root`, which is made when it is missing."""
        self._root = root
        self._contract = contract
        self._common = cdi.common_spec(contract, node)

    def ensure_common(self) -> None:
        """Make the node's own spec exist as it should be.

        Raises:
            CdiWriteFailed: the directory is not writable.
        """
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
        name, spec = (
            cdi.claim_file(self._contract, claim.uid),
            cdi.claim_spec(self._contract, claim),
        )
        cdi.validate(spec)
        self.ensure_common()
        return self._ensure(name, spec)

    def check(self, claim: PreparedClaim) -> None:
        """Check that the claim's spec is one that runtimes load.

        Raises:
            InvalidCdiSpec: with everything that is wrong.
        """
        cdi.validate(cdi.claim_spec(self._contract, claim))

    def survey(self, claims: Iterable[PreparedClaim]) -> Survey:
        """Compare the files with the claims that should have one; nothing is changed.

        Raises:
            InvalidClaimUid: a uid cannot name a file.
            CdiWriteFailed: the directory cannot be read.
        """
        specs = {claim.uid: cdi.claim_spec(self._contract, claim) for claim in claims}
        present = {path.name for path in self._ours()}
        missing = [uid for uid in specs if cdi.claim_file(self._contract, uid) not in present]
        wrong = [
            uid
            for uid, spec in specs.items()
            if uid not in missing
            and _read(self._root / cdi.claim_file(self._contract, uid))
            not in (spec, cdi.former_spec(self._contract, spec))
        ]
        surplus = present - {
            cdi.common_file(self._contract),
            *(cdi.claim_file(self._contract, uid) for uid in specs),
        }
        return Survey(tuple(missing), tuple(wrong), tuple(sorted(surplus)))

    def remove(self, uid: ClaimUID) -> None:
        """Remove the claim's spec; a missing one is fine.

        Raises:
            InvalidClaimUid: the uid cannot name a file.
            CdiWriteFailed: the file cannot be removed.
        """
        self._unlink(self._root / cdi.claim_file(self._contract, uid))

    def remove_common(self) -> None:
        """Remove the node's own spec; a missing one is fine.

        Raises:
            CdiWriteFailed: the file cannot be removed.
        """
        self._unlink(self._root / cdi.common_file(self._contract))

    def find_label(self, uid: ClaimUID) -> str:
        """Return the label in the claim's present file, empty if there is none to read."""
        return self._found(cdi.claim_file(self._contract, uid), cdi.find_label)

    def find_node(self) -> str:
        """Return the node that the present files are of, empty if there is none to read."""
        return self._found(cdi.common_file(self._contract), cdi.find_node)

    def collect(self, keep: Collection[ClaimUID]) -> list[str]:
        """Remove our files that no claim of `keep` needs, and what killed writers left.

        Also files with the extension .yaml: drivers before this one wrote the same devices to
        them, and runtimes drop a device that two files define.

        Returns:
            The names of the removed files.

        Raises:
            CdiWriteFailed: the directory cannot be read, or a file not removed.
        """
        needed = {
            cdi.common_file(self._contract),
            *(cdi.claim_file(self._contract, uid) for uid in keep),
        }
        surplus = [path for path in self._ours() if path.name not in needed]
        for path in surplus:
            self._unlink(path)
        return [path.name for path in surplus]

    def _found(self, name: str, find: Callable[[Contract, JSON], str]) -> str:
        spec = _read(self._root / name)
        try:
            return find(self._contract, spec) if spec else ""
        except (KeyError, TypeError, AttributeError):
            return ""

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
        try:
            self._root.mkdir(mode=0o755, parents=True, exist_ok=True)
            content = (json.dumps(spec, indent=2) + "\n").encode()
            # after a power cut it is made anew from the checkpoint, as on nodes that empty /run
            write_atomically(path, content, mode=_MODE, durable=False)
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
