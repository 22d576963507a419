"""Every string constant of the contract with Kubernetes and with users, in one place."""

from typing import Final

DRIVER_NAME: Final = "fake.resource.3-shake.com"

PARAMETERS_GROUP: Final = "fake.resource.3-shake.com"
"""API group of the parameters; like NAS_GROUP fixed by the definitions in api/*_crd.yaml."""

NAS_GROUP: Final = "nas.fake.resource.3-shake.com"
CRD_VERSION: Final = "v1alpha1"

NAS_KIND: Final = "NodeAllocationState"
NAS_PLURAL: Final = "nodeallocationstates"
CLAIM_PARAMETERS_KIND: Final = "FakeClaimParameters"
CLASS_PARAMETERS_KIND: Final = "DeviceClassParameters"

RESOURCE_GROUP: Final = "resource.k8s.io"
FINALIZER: Final = f"{DRIVER_NAME}/deletion-protection"
"""Marks a ResourceClaim as ours and keeps it until its devices are free."""

POD_CLAIM_NAME_ANNOTATION: Final = "resource.kubernetes.io/pod-claim-name"

DEVICE_TYPE: Final = "fake"
DEVICE_PREFIX: Final = "FAKE-"
DEFAULT_MODEL: Final = "LATEST-FAKE-MODEL"

STATUS_READY: Final = "Ready"
STATUS_NOT_READY: Final = "NotReady"

CDI_VENDOR: Final = f"k8s.{DRIVER_NAME}"
CDI_CLASS: Final = "fake"
CDI_KIND: Final = f"{CDI_VENDOR}/{CDI_CLASS}"
CDI_COMMON_DEVICE: Final = "common"

ENV_NODE_NAME: Final = "FAKE_NODE_NAME"
ENV_DRIVER_NAME: Final = "DRA_RESOURCE_DRIVER_NAME"
ENV_DEVICE_PREFIX: Final = "FAKE_DEVICE_"
"""Followed by the device's index within its claim."""

ENV_CLAIM_PREFIX: Final = "FAKE_CLAIM_"
"""Followed by what the pod calls the claim, else its name, and the device's index.

Two claims of a container may have the same: one from a template, one by name, or with other
characters that become underscores.
"""

ENV_UID_PREFIX: Final = "FAKE_CLAIMUID_"
"""Followed by the claim's uid and the device's index, or NAME: never those of another claim.

No label makes such a name, since an underscore follows FAKE_CLAIM there.
"""
