"""The string constants of the contract with Kubernetes and with users.

What tells one driver from another is in `api.contract`.
"""

from typing import Final

PARAMETERS_GROUP: Final = "fake.resource.3-shake.com"
"""API group of the parameters; like NAS_GROUP fixed by the definitions in api/*_crd.yaml."""

NAS_GROUP: Final = "nas.fake.resource.3-shake.com"
WRITER_ANNOTATION: Final = f"{NAS_GROUP}/written-by"
"""Of a NAS: who wrote `allocatedClaims` last, where these do not tell of all claims."""

PREPARED_ANNOTATION: Final = f"{NAS_GROUP}/prepared-in"
"""Of a NAS whose plugin shows prepared claims in its checkpoint only, with that word."""

CRD_VERSION: Final = "v1alpha1"

NAS_KIND: Final = "NodeAllocationState"
NAS_PLURAL: Final = "nodeallocationstates"
CLAIM_PARAMETERS_KIND: Final = "FakeClaimParameters"
CLASS_PARAMETERS_KIND: Final = "DeviceClassParameters"

RESOURCE_GROUP: Final = "resource.k8s.io"
POD_CLAIM_NAME_ANNOTATION: Final = "resource.kubernetes.io/pod-claim-name"

DEVICE_TYPE: Final = "fake"
DEFAULT_MODEL: Final = "LATEST-FAKE-MODEL"

EXCLUSIVE: Final = "Exclusive"
TIME_SLICED: Final = "TimeSliced"
"""How devices of a class are shared between claims: not at all, or as clients that take turns."""

STATUS_READY: Final = "Ready"
STATUS_NOT_READY: Final = "NotReady"

CDI_COMMON_DEVICE: Final = "common"

ENV_DRIVER_NAME: Final = "DRA_RESOURCE_DRIVER_NAME"
