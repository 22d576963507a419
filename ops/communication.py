"""How a driver's controller tells its plugins what claims were given, and what they tell it."""

from enum import StrEnum
from typing import Final

import click

from ops.config import KUBERNETES
from ops.settings import option


class Communication(StrEnum):
    """Where allocations and prepared claims stand; what devices there are is in the NAS always."""

    NAS = "nas"
    """In the node's NodeAllocationState."""

    HANDLE = "handle"
    """Allocations in the claims themselves, prepared claims in the checkpoint of the node."""


communication_option: Final = option(
    "--communication",
    "COMMUNICATION",
    section=KUBERNETES,
    type=click.Choice([each.value for each in Communication]),
    default=Communication.NAS.value,
    help="Where controller and plugins write down what claims have: nas is the "
    "NodeAllocationState of the node, handle is the claim itself and the plugin's checkpoint, "
    "which costs fewer writes. Either reads both, so it can be changed at any time.",
    remedy=f"give one of {', '.join(Communication)}",
)
"""Decorator that adds --communication."""
