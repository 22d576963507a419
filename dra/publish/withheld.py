"""Shows prepared claims to nobody: the plugin knows them by its checkpoint, not by its NAS.

What the NAS shows of an earlier time, or by another's hand, is taken out, since a controller takes
it for what containers may see. Called by `dra.devicestate.state` through its port, and by
`plugin.classic.repairs`.
"""

from collections.abc import Callable, Iterable

from dra.devicestate.directory import CdiDirectory
from dra.driver import PreparedClaim
from dra.publish.nas import NodeRecord, shown_claims
from dra.publish.nothing import Nothing
from ops.logs import get_logger

_LOG = get_logger("withheld")


class Withheld(Nothing):
    """A `dra.devicestate.publisher.Publisher` that keeps `preparedDevices` empty."""

    def __init__(
        self,
        directory: CdiDirectory,
        record: NodeRecord,
        complete: Callable[[PreparedClaim], PreparedClaim],
    ) -> None:
        """Know prepared claims from the files of `directory`, and from `record` if it has some.

        Args:
            directory: of the CDI files.
            record: the node's NAS.
            complete: finds out which devices are children of others, which files do not tell.
        """
        super().__init__(directory)
        self._record = record
        self._complete = complete

    def published(self) -> list[PreparedClaim]:
        """Return what the CDI files show, and what the NAS still does.

        Raises:
            CdiWriteFailed: the directory cannot be read.
            MalformedState: the NAS cannot be read.
        """
        files = [self._complete(claim) for claim in super().published()]
        shown = shown_claims(self._record.current())
        return list({claim.uid: claim for claim in (*files, *shown)}.values())

    def restore(self, _claims: Iterable[PreparedClaim]) -> None:
        """Show none.

        Raises:
            MalformedState: the NAS cannot be read.
            KubeError: the NAS cannot be written.
        """
        self.reconcile()

    def reconcile(self) -> None:
        """Take out what others wrote.

        Raises:
            MalformedState: the NAS cannot be read.
            KubeError: the NAS cannot be written.
        """
        shown = self._record.current().prepared
        if shown:
            self._record.write_prepared(dict.fromkeys(shown), last=True)
            _LOG.info("preparedDevices emptied, the checkpoint has them", claims=len(shown))
