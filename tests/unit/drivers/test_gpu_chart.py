"""The chart of the gpu driver: rights as `dra manifests` gives them, and values that arrive."""

import configparser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api.objects import JSON
from dra.manifests import Installation, manifests
from dra.run import program_of
from dra.settings import DRIVER
from drivers.gpu.driver import GpuDriver
from tests.support.helm import Helm, HelmFailed

ROOT = Path(__file__).parents[3]
CHART = ROOT / "drivers/gpu/deploy/dra-example-driver"
NAME = "dra-example-driver"
COMMAND = "dra-gpu-kubeletplugin"
WITH_CONTROLLER = {"controller": {"plugins": ["BindingConditions"]}}
EVERYTHING = {
    **WITH_CONTROLLER,
    "gpuDeviceStatus": True,
    "deviceClass": {"extendedResourceName": "example.com/gpu"},
    "serviceAccount": {"annotations": {"a": "b"}},
    "imagePullSecrets": [{"name": "secret"}],
    "kubeletPlugin": {"podAnnotations": {"a": "b"}, "affinity": {"nodeAffinity": {}}},
}


@pytest.fixture(scope="module")
def render() -> Callable[..., list[JSON]]:
    binary = ROOT / ".bin/helm"
    if not binary.exists():
        pytest.fail(f"{binary} does not exist; fetch it with `make tools`")
    helm = Helm(binary, CHART, kubernetes="v1.37.0")

    def template(values: JSON | None = None, *options: str, namespace: str = NAME) -> list[JSON]:
        return helm.template(values, *options, name=NAME, namespace=namespace)

    return template


Render = Callable[..., list[JSON]]


def one(documents: list[JSON], kind: str, name: str = NAME) -> JSON:
    (found,) = [d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name)]
    return found


def printed(**fields: Any) -> list[JSON]:
    """Return what `dra manifests` makes of the same installation."""
    contract = GpuDriver("node").contract
    image, command, named = "fake-dra-driver:0.1.0", (COMMAND,), contract.driver_name
    return manifests(
        Installation(
            contract,
            NAME,
            NAME,
            image,
            command,
            named,
            rolling_update=True,
            reads_node=True,
            **fields,
        )
    )


@pytest.mark.parametrize("shows", [False, True], ids=["default", "with status"])
def test_rights_are_those_of_dra_manifests(render: Render, shows: bool) -> None:
    ours, theirs = render({"gpuDeviceStatus": shows}), printed(publishes_status=shows)
    assert one(ours, "ClusterRole")["rules"] == one(theirs, "ClusterRole")["rules"]
    for kind, *fields in (
        ("ClusterRoleBinding", "roleRef", "subjects"),
        ("ValidatingAdmissionPolicy", "spec"),
        ("ValidatingAdmissionPolicyBinding", "spec"),
    ):
        for field in fields:
            assert one(ours, kind)[field] == one(theirs, kind)[field]


def pod(documents: list[JSON], name: str) -> JSON:
    spec: JSON = one(documents, "DaemonSet", name)["spec"]["template"]["spec"]
    return spec


def test_pods_are_those_of_dra_manifests(render: Render) -> None:
    ours, theirs = pod(render(), f"{NAME}-kubeletplugin"), pod(printed(), NAME)
    (our_container,), (their_container,) = ours.pop("containers"), theirs.pop("containers")
    assert ours == theirs
    own_env, their_env = our_container.pop("env"), their_container.pop("env")
    assert [each for each in their_env if each not in own_env] == []
    assert {**our_container, "name": "driver"} == their_container


@pytest.mark.parametrize(
    ("options", "version"),
    [
        (("--kube-version=v1.33.0",), "v1beta1"),
        (("--kube-version=v1.34.0",), "v1"),
        (("--api-versions=resource.k8s.io/v1beta1/DeviceClass",), "v1beta1"),
        (
            (
                "--api-versions=resource.k8s.io/v1beta1/DeviceClass",
                "--api-versions=resource.k8s.io/v1beta2/DeviceClass",
            ),
            "v1beta2",
        ),
        (
            (
                "--api-versions=resource.k8s.io/v1/DeviceClass",
                "--api-versions=resource.k8s.io/v1beta1/DeviceClass",
            ),
            "v1",
        ),
    ],
    ids=["1.33", "1.34", "v1beta1", "v1beta2", "v1"],
)
def test_class_is_in_the_newest_version(
    render: Render, options: tuple[str, ...], version: str
) -> None:
    """The Go driver's chart writes no version at all where it does not see one."""
    found = one(render(None, *options), "DeviceClass", "gpu.example.com")
    assert found["apiVersion"] == f"resource.k8s.io/{version}"
    assert found["spec"] == one(printed(), "DeviceClass", "gpu.example.com")["spec"]


def test_class_has_an_extended_resource(render: Render) -> None:
    found = one(render(EVERYTHING), "DeviceClass", "gpu.example.com")
    assert found["spec"]["extendedResourceName"] == "example.com/gpu"


@pytest.mark.parametrize("minor", ["1.34", "1.35", "1.36", "1.37"])
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_objects_are_valid(render: Render, values: JSON, minor: str) -> None:
    for each in render(values, f"--kube-version=v{minor}.0"):
        kubernetes_validate.validate(each, minor, strict=True)


def test_every_setting_of_the_driver_has_a_value(render: Render) -> None:
    values: JSON = {
        "deviceProfile": "net",
        "driverName": "nic.test",
        "gpuDeviceStatus": True,
        "gpuAllowMultipleAllocations": True,
        "kubeletPlugin": {"numDevices": 3, "gpuPartitions": 5, "bindingConditions": True},
    }
    values["kubeletPlugin"]["healthFile"] = "/health"
    (container,) = pod(render(values), f"{NAME}-kubeletplugin")["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    settings: list[Any] = list(program_of(GpuDriver).params)
    own = {each.envvar for each in settings if getattr(each, "section", "") == DRIVER}
    assert {name: env[name] for name in own} == {
        "DEVICE_PROFILE": "net",
        "DRIVER_NAME": "nic.test",
        "NUM_DEVICES": "3",
        "GPU_PARTITIONS": "5",
        "GPU_ALLOW_MULTIPLE_ALLOCATIONS": "true",
        "GPU_DEVICE_STATUS": "true",
        "BINDING_CONDITIONS": "true",
        "HEALTH_FILE": "/health",
    }


def test_profile_names_the_driver_and_its_class(render: Render) -> None:
    documents = render({"deviceProfile": "net"})
    found = one(documents, "DeviceClass", "net.example.com")
    assert (
        found["spec"]["selectors"][0]["cel"]["expression"] == "device.driver == 'net.example.com'"
    )


def test_controller_is_there_when_it_has_something_to_do(render: Render) -> None:
    assert not [each for each in render() if each["kind"] == "Deployment"]
    documents = render(WITH_CONTROLLER)
    (container,) = one(documents, "Deployment", f"{NAME}-controller")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["command"] == ["dra-gpu-controller"]
    rules = one(documents, "ClusterRole", f"{NAME}-controller")["rules"]
    assert {(r, v) for rule in rules for r in rule["resources"] for v in rule["verbs"]} == {
        *(("resourceclaims", verb) for verb in ("get", "list", "watch")),
        *(("resourceclaims/status", verb) for verb in ("update", "patch")),
        *(("resourceclaims/driver", f"arbitrary-node:{verb}") for verb in ("update", "patch")),
        *(("events", verb) for verb in ("create", "patch")),
    }


def test_commands_are_installed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    scripts = config["options.entry_points"]["console_scripts"]
    assert f"{COMMAND} = drivers.gpu.driver:main" in scripts
    assert "dra-gpu-controller = drivers.gpu.controller:main" in scripts


@pytest.mark.parametrize(
    ("values", "options", "namespace", "said"),
    [
        ({}, ("--kube-version=v1.32.0",), NAME, "incompatible with Kubernetes v1.32.0"),
        ({}, (), "default", "the driver belongs into a namespace of its own"),
        ({"webhook": {"enabled": True}}, (), NAME, "this chart has no webhook"),
        ({"deviceProfile": "cpu"}, (), NAME, "deviceProfile"),
        ({"kubeletPlugin": {"gpuPartitions": 81}}, (), NAME, "gpuPartitions"),
        ({"gpuDevicesStatus": True}, (), NAME, "gpuDevicesStatus"),
    ],
)
def test_what_cannot_be_is_refused(
    render: Render, values: JSON, options: tuple[str, ...], namespace: str, said: str
) -> None:
    with pytest.raises(HelmFailed, match=said):
        render(values, *options, namespace=namespace)


def test_chart_has_no_lint() -> None:
    assert "0 chart(s) failed" in Helm(ROOT / ".bin/helm", CHART, kubernetes="v1.37.0").lint()


def test_every_value_is_in_the_schema() -> None:
    """A misspelt value is refused, so that none is without effect."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))

    def missing(given: JSON, known: JSON, path: str) -> list[str]:
        properties = known.get("properties")
        if properties is None:
            return []
        inner = [
            each
            for name, value in given.items()
            if isinstance(value, dict) and name in properties
            for each in missing(value, properties[name], f"{path}.{name}")
        ]
        return [
            f"{path}.{name}" for name in given.keys() ^ (properties.keys() - {"global"})
        ] + inner

    assert missing(values, schema, "") == []
