"""The resources of claims that the control plane and the kubelets of a cluster work with."""

from typing import Final, TypeAlias

from api.resources import (
    DRA_V1ALPHA2,
    STRUCTURED_VERSIONS,
    TAINT_RULES,
    DraResources,
    StructuredResources,
)

ClaimApi: TypeAlias = DraResources | StructuredResources
"""Of claims that drivers allocate, or of those that the scheduler allocates."""

CLASSIC: Final = DRA_V1ALPHA2
STRUCTURED: Final = STRUCTURED_VERSIONS["v1"]
RULES: Final = TAINT_RULES[0]
FIRST_WITH_RULES: Final = 37
"""The first minor that serves DeviceTaintRules in v1."""
