"""Errors of publishing; a branch of the tree in dra.errors.

DriverError                     (api.errors)
├─ LimitExceeded                the driver offers what no ResourceSlice can say
└─ SlicesNotServed              the API server has no version of ResourceSlice that we write
"""

from api.errors import DriverError


class LimitExceeded(DriverError):
    """A field of an inventory is beyond a limit of the API; the driver has to change it.

    Attributes:
        problems: each with field and limit.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Name every problem, the first twenty in the text."""
        self.problems = problems
        more = f"; and {len(problems) - 20} more" if len(problems) > 20 else ""
        super().__init__(f"the devices cannot be published: {'; '.join(problems[:20])}{more}")


class SlicesNotServed(DriverError):
    """resource.k8s.io is not served with ResourceSlices: enable it on the API server."""
