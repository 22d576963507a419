"""Applies the three kinds of patches to an object.

Pure; the caller validates and stores what comes out. `devcluster.apiserver.store` calls `Patch`,
`devcluster.apiserver.views.bodies` makes it from a request.
Source: RFC 7386 (merge patch); JSON patches are those of jsonpatch (RFC 6902), the strategic merge
patch is in `devcluster.apiserver.strategicmerge`.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jsonpatch import InvalidJsonPatch, JsonPatch, JsonPatchException
from jsonpointer import JsonPointerException

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest, Invalid
from devcluster.apiserver.strategicmerge import strategic_merge

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

_MOST_OPERATIONS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Patch:
    """What to change.

    Attributes:
        media_type: MERGE, JSON_PATCH or STRATEGIC.
        body: an object, of a JSON patch a list of operations.
    """

    media_type: str
    body: Any

    def apply(self, kind: str, obj: JSON) -> JSON:
        """Return a changed copy.

        Args:
            kind: of the object; the merge keys of a strategic merge patch depend on it.
            obj: as stored.

        Raises:
            BadRequest: the patch is malformed.
            Invalid: a test fails, or a path of a JSON patch leads nowhere.
        """
        patched = self._patched(kind, copy.deepcopy(obj))
        if not isinstance(patched, dict):
            raise BadRequest("the patch leaves no object")
        return patched

    def _patched(self, kind: str, obj: JSON) -> Any:
        if self.media_type == JSON_PATCH:
            if not isinstance(self.body, list):
                raise BadRequest("a JSON patch is a list of operations")
            return json_patch(obj, self.body)
        if not isinstance(self.body, dict):
            raise BadRequest("the patch is not an object")
        if self.media_type == STRATEGIC:
            return strategic_merge(kind, obj, self.body)
        return merge_patch(obj, self.body)


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with a JSON merge patch: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: Sequence[Any]) -> Any:
    """Return `target`, which may be changed, after all operations in order.

    Raises:
        BadRequest: an operation is malformed.
        Invalid: a test fails, or a path leads nowhere.
    """
    if len(operations) > _MOST_OPERATIONS:
        raise BadRequest(f"a JSON patch has at most {_MOST_OPERATIONS} operations")
    try:
        # copied, as what is added becomes a part of the object
        patch = JsonPatch(copy.deepcopy(operations))
    except (JsonPatchException, JsonPointerException) as error:
        raise BadRequest(f"not a JSON patch: {error}") from error
    try:
        return patch.apply(target, in_place=True)
    except InvalidJsonPatch as error:
        raise BadRequest(f"not a JSON patch: {error}") from error
    except (JsonPatchException, JsonPointerException) as error:
        raise Invalid(
            f"the server rejected our request due to an error in our request: {error}"
        ) from error
