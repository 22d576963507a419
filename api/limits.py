"""How much the objects of resource.k8s.io can say, as Kubernetes 1.35 and later limit it.

Source: k8s.io/api/resource/v1 types.go; kubernetes pkg/apis/resource/validation/validation.go.
"""

from collections.abc import Mapping
from typing import Final

MAX_DRIVER_NAME: Final = 63
"""Characters of a driver's name, and of the domain of an attribute."""

MAX_POOL_NAME: Final = 253
MAX_IDENTIFIER: Final = 32
MAX_VALUE_BYTES: Final = 64
"""Of the text of an attribute."""

MAX_DEVICES: Final = 128
MAX_ADVANCED_DEVICES: Final = 64
"""In a slice of which one device has taints or consumes counters."""

MAX_ENTRIES: Final = 32
"""Attributes and capacities of a device, together."""

MAX_TAINTS: Final = 16
MAX_CONDITIONS: Final = 4
MAX_VALID_VALUES: Final = 10
MAX_COUNTER_SETS: Final = 8
MAX_COUNTERS: Final = 32
MAX_CONSUMED_SETS: Final = 2

MAX_RAW_BYTES: Final = 10 * 1024
"""Of opaque parameters, of the data of a device, and of a CEL expression."""

MAX_STATUS_CONDITIONS: Final = 8
"""Of a device in the status of a claim."""

MAX_IPS: Final = 16
MAX_NETWORK_BYTES: Final[Mapping[str, int]] = {"interfaceName": 256, "hardwareAddress": 128}
