"""Who a driver is: the one value from which everything follows that tells it from others.

Each program makes it from its settings and passes it down. What is named like a driver and is not
here stands in the definitions of api/*_crd.yaml, which no setting reaches: API groups and kinds.
"""

from dataclasses import dataclass, replace
from typing import Final

from api import validation
from api.cdi import is_kind
from api.limits import MAX_DRIVER_NAME


@dataclass(frozen=True, slots=True)
class Contract:
    """The identity of a driver.

    Attributes:
        driver_name: as classes and claims name it; a DNS subdomain.
        device_key: under which a NodeAllocationState has its devices, and class of its CDI kind.
    """

    driver_name: str
    device_key: str

    def __post_init__(self) -> None:
        """Refuse what no cluster and no container runtime takes.

        Raises:
            ValueError: naming the argument.
        """
        name = self.driver_name
        if len(name) > MAX_DRIVER_NAME or validation.subdomain(name.lower()):
            raise ValueError(
                f"driver name {name!r} is no DNS subdomain of at most {MAX_DRIVER_NAME} "
                "characters, such as serial.example.com"
            )
        if not is_kind(self.cdi_kind):
            raise ValueError(
                f"class of devices {self.device_key!r} is none of CDI: two or more letters, digits "
                "and '-_.', a letter first and no mark last, such as serial-port"
            )

    def renamed(self, driver_name: str) -> "Contract":
        """Return a driver of the same devices with another name."""
        return replace(self, driver_name=driver_name)

    @property
    def finalizer(self) -> str:
        """Marks a ResourceClaim as the driver's and keeps it until its devices are free."""
        return f"{self.driver_name}/deletion-protection"

    @property
    def moved_annotation(self) -> str:
        """Marks a ResourceClaim whose allocation was moved."""
        return f"{self.driver_name}/moved-at"

    @property
    def applied_annotation(self) -> str:
        """What the driver wrote into a class of its own, to see later whether others edited it."""
        return f"{self.driver_name}/last-applied"

    @property
    def cdi_vendor(self) -> str:
        """Vendor of the CDI kind."""
        return f"k8s.{self.driver_name}"

    @property
    def cdi_kind(self) -> str:
        """CDI kind of the driver's devices, `vendor/class`."""
        return f"{self.cdi_vendor}/{self.device_key}"

    @property
    def cdi_file_prefix(self) -> str:
        """How the names of the driver's CDI files begin."""
        return f"{self.cdi_vendor}-{self.device_key}_"

    @property
    def registration_socket(self) -> str:
        """Name of the socket by which the kubelet finds the plugin."""
        return f"{self.driver_name}-reg.sock"

    @property
    def device_prefix(self) -> str:
        """How the ids of made-up devices begin."""
        return f"{self._word}-"

    @property
    def env_node_name(self) -> str:
        """Variable with the name of the node."""
        return f"{self._word}_NODE_NAME"

    @property
    def env_device_prefix(self) -> str:
        """Followed by the device's index within its claim."""
        return f"{self._word}_DEVICE_"

    @property
    def env_claim_prefix(self) -> str:
        """Followed by what the pod calls the claim, else its name, and the device's index.

        Two claims of a container may have the same: one from a template, one by name, or with
        other characters that become underscores.
        """
        return f"{self._word}_CLAIM_"

    @property
    def env_uid_prefix(self) -> str:
        """Followed by the claim's uid and the device's index, or NAME: never those of another.

        No label makes such a name, since an underscore follows `env_claim_prefix` there.
        """
        return f"{self._word}_CLAIMUID_"

    @property
    def _word(self) -> str:
        return self.device_key.upper()


FAKE: Final = Contract("fake.resource.3-shake.com", "fake")
"""The driver of this project under its own name; the default of the programs' setting."""
