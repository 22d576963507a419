"""Errors of what users and peers write.

    DriverError                     every error that this driver raises on purpose
    ├─ UnsupportedVersion           the API server has no version of resource.k8s.io for us
    ├─ UnreadableProtobuf           bytes that should be an object in protobuf and are not
    ├─ UnknownMessage               protobuf of a kind that this project has no message for
    └─ UserError                    somebody has to change an object; retrying at once is no help
       ├─ InvalidParameters         a field of a parameters object is out of bounds or unknown
       ├─ UnknownParametersKind     parametersRef points at something this driver cannot read
       ├─ ParametersNotFound        parametersRef points at an object that does not exist
       ├─ MalformedState            a NodeAllocationState that this driver cannot read
       └─ MalformedHandle           what a claim was given, as this driver cannot read it

The packages above grow their own branches from DriverError; see their errors modules.
"""

from collections.abc import Sequence


class DriverError(Exception):
    """Base of every error that this driver raises on purpose."""


class UnsupportedVersion(DriverError):
    """The API server has no version of resource.k8s.io that the caller can work with."""


class UnreadableProtobuf(DriverError):
    """Bytes are no object in Kubernetes protobuf."""


class UnknownMessage(DriverError):
    """A kind is not among those that can be read and written as protobuf."""


class UserError(DriverError):
    """An object written by a user or another program has to change first."""


class InvalidParameters(UserError):
    """A parameters object has a field that is out of bounds, of a wrong type, or unknown.

    Attributes:
        problems: each with the path of its field in the object.
    """

    def __init__(self, what: str, problems: Sequence[str]) -> None:
        """Say what is invalid, and why."""
        super().__init__(f"{what} is invalid: {'; '.join(problems)}")
        self.problems = tuple(problems)


class UnknownParametersKind(UserError):
    """A parametersRef names an API group or kind that this driver does not read."""


class ParametersNotFound(UserError):
    """A parametersRef names an object that does not exist."""


class MalformedState(UserError):
    """A NodeAllocationState does not have the shape of its CRD."""


class MalformedHandle(UserError):
    """The allocation of a claim says of its devices what this driver does not write."""
