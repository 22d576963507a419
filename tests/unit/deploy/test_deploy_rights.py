"""The driver has the rights that its code uses, in the API and on the node, and no others."""

import re
from collections.abc import Callable

import pytest

from api.contract import FAKE
from api.names import CRD_VERSION, NAS_GROUP, NAS_PLURAL
from api.objects import JSON
from controller.election import LEASE_NAME
from dra.driver import ReadsNode
from dra.manifests import Installation, manifests
from plugin.structured.driver import StructuredFakeDriver
from tests.support.helm import Helm

Find = Callable[[list[JSON], str, str], JSON]

WORKLOADS = {"controller": "Deployment", "kubeletplugin": "DaemonSet"}
ACCOUNTS = {c: (kind, f"-{c}") for c, kind in WORKLOADS.items()} | {
    "uninstall": ("Job", "-post-delete")
}
COMPONENTS = pytest.mark.parametrize("component", sorted(WORKLOADS))


@COMPONENTS
def test_containers_have_no_rights(find: Find, rendered: list[JSON], component: str) -> None:
    pod = find(rendered, WORKLOADS[component], f"-{component}")["spec"]["template"]["spec"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for key in ("hostNetwork", "hostPID", "hostIPC", "initContainers"):
        assert not pod.get(key)
    assert {"privileged": False} | pod["containers"][0]["securityContext"] == {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_only_the_plugin_is_root(find: Find, rendered: list[JSON]) -> None:
    users = {
        component: find(rendered, kind, component)["spec"]["template"]["spec"]["securityContext"]
        for component, kind in WORKLOADS.items()
    }
    assert users["controller"]["runAsNonRoot"] is True
    assert users["controller"]["runAsUser"] > 0
    assert users["kubeletplugin"]["runAsUser"] == 0


def pods(documents: list[JSON]) -> dict[str, JSON]:
    """The pods of all workloads, by the end of their names."""
    found = [d for d in documents if "template" in (d.get("spec") or {})]
    return {
        d["metadata"]["name"].removeprefix("fake-dra-driver-"): d["spec"]["template"]["spec"]
        for d in found
    }


@pytest.mark.parametrize("version", ["v1.27.0", "v1.31.0"])
def test_every_pod_meets_the_restricted_standard_but_for_what_the_plugin_is_for(
    helm: Helm, version: str
) -> None:
    """Source: Kubernetes documentation, "Pod Security Standards"."""
    found = pods(helm.template(None, f"--kube-version={version}"))
    assert set(found) == {"controller", "kubeletplugin", "pre-delete", "post-delete"}
    beyond = {name: breaches(pod) for name, pod in found.items()}
    assert beyond.pop("kubeletplugin") == {"root", "hostPath"}
    assert set().union(*beyond.values()) == set()


def breaches(pod: JSON) -> set[str]:
    """What of a pod the standard `restricted` does not admit, and writable places in it."""
    context = pod.get("securityContext") or {}
    found = {key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)}
    found |= {kind for volume in pod.get("volumes") or () for kind in volume if kind != "name"}
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        own = {**context, **container["securityContext"]}
        checks = {
            "root": own.get("runAsNonRoot") is not True or not own.get("runAsUser"),
            "privileged": bool(own.get("privileged")),
            "escalation": own.get("allowPrivilegeEscalation") is not False,
            "writable": own.get("readOnlyRootFilesystem") is not True,
            "capabilities": own.get("capabilities") != {"drop": ["ALL"]},
            "seccomp": own.get("seccompProfile") != {"type": "RuntimeDefault"},
            "ports of the host": any("hostPort" in port for port in container.get("ports") or ()),
        }
        found |= {name for name, broken in checks.items() if broken}
    return found


def test_a_token_is_mounted_by_the_pods_that_need_one_and_by_no_others(
    rendered: list[JSON],
) -> None:
    accounts = [d for d in rendered if d["kind"] == "ServiceAccount"]
    assert [d["automountServiceAccountToken"] for d in accounts] == [False] * len(accounts)
    mounting = {name for name, pod in pods(rendered).items() if pod["automountServiceAccountToken"]}
    bound = {d["subjects"][0]["name"] for d in rendered if d["kind"] == "RoleBinding"}
    assert {pods(rendered)[name]["serviceAccountName"] for name in mounting} == bound


def rights(documents: list[JSON], component: str) -> dict[str, set[str]]:
    """What a component may do: `Role group/resource`, maybe with the one object, to verbs."""
    return {
        f"{role['kind']} {group}/{resource}{name}": set(rule["verbs"])
        for role in documents
        if role["kind"] in ("Role", "ClusterRole") and role["metadata"]["name"].endswith(component)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in [f" {name}" for name in rule.get("resourceNames", [])] or [""]
    }


READ = {"get", "list", "watch"}
RIGHTS = {
    "controller": {
        "ClusterRole resource.k8s.io/resourceclaims": {"list", "watch", "patch"},
        "ClusterRole resource.k8s.io/resourceclaims/status": {"update"},
        "ClusterRole resource.k8s.io/podschedulingcontexts": {"list", "watch"},
        "ClusterRole resource.k8s.io/podschedulingcontexts/status": {"update"},
        "ClusterRole resource.k8s.io/resourceclasses": READ | {"create", "update", "delete"},
        "ClusterRole resource.k8s.io/deviceclasses": READ | {"create", "update", "delete"},
        f"ClusterRole {FAKE.driver_name}/deviceclassparameters": READ,
        f"ClusterRole {FAKE.driver_name}/fakeclaimparameters": READ,
        "ClusterRole /pods": READ,
        "ClusterRole /nodes": {"list", "watch"},
        "ClusterRole /events": {"create", "patch"},
        f"Role {NAS_GROUP}/{NAS_PLURAL}": READ | {"patch", "delete"},
        "Role coordination.k8s.io/leases": {"create"},
        f"Role coordination.k8s.io/leases {LEASE_NAME}": READ | {"update"},
    },
    "kubeletplugin": {
        "ClusterRole /nodes": READ,
        "ClusterRole resource.k8s.io/resourceslices": READ | {"create", "update", "delete"},
        "ClusterRole resource.k8s.io/resourceclaims": {"get", "list"},
        "ClusterRole /events": {"create", "patch"},
        f"Role {NAS_GROUP}/{NAS_PLURAL}": READ | {"create", "patch"},
    },
    "webhook": {
        "ClusterRole admissionregistration.k8s.io/validatingwebhookconfigurations "
        "fake-dra-driver-webhook": {"get", "update"},
        "Role /secrets fake-dra-driver-webhook-certificate": {"get", "update"},
    },
    "ui": {
        **dict.fromkeys(
            (
                "ClusterRole resource.k8s.io/resourceclaims",
                "ClusterRole resource.k8s.io/resourceclasses",
                "ClusterRole resource.k8s.io/deviceclasses",
                "ClusterRole resource.k8s.io/resourceslices",
                "ClusterRole resource.k8s.io/devicetaintrules",
                f"ClusterRole {NAS_GROUP}/{NAS_PLURAL}",
                "ClusterRole /pods",
                "ClusterRole /nodes",
            ),
            READ,
        ),
        "ClusterRole /events": {"list"},
        "ClusterRole resource.k8s.io/resourceclaimtemplates": {"list"},
        "ClusterRole resource.k8s.io/podschedulingcontexts": {"list"},
        f"ClusterRole {FAKE.driver_name}/deviceclassparameters": {"list"},
        f"ClusterRole {FAKE.driver_name}/fakeclaimparameters": {"list"},
    },
    "uninstall": {
        "ClusterRole resource.k8s.io/resourceclaims": {"list"},
        "ClusterRole resource.k8s.io/resourceclasses": {"list", "delete"},
        "ClusterRole resource.k8s.io/deviceclasses": {"list", "delete"},
        "ClusterRole resource.k8s.io/resourceslices": {"list", "delete"},
        f"Role {NAS_GROUP}/{NAS_PLURAL}": {"list", "delete"},
        "Role /pods": {"list"},
    },
}


@pytest.mark.parametrize("component", sorted(RIGHTS))
def test_rights_are_those_that_the_code_uses(helm: Helm, component: str) -> None:
    documents = helm.template({"webhook": {"enabled": True}, "ui": {"enabled": True}})
    assert rights(documents, component) == RIGHTS[component]


def test_without_an_election_there_are_no_rights_to_leases(helm: Helm) -> None:
    documents = helm.template({"controller": {"leaderElection": {"enabled": False}}})
    assert not [right for right in rights(documents, "controller") if "leases" in right]


@pytest.mark.parametrize("account", [{}, {"create": False, "name": "present"}], ids=str)
def test_rights_are_bound_to_the_account_of_the_pods(helm: Helm, find: Find, account: JSON) -> None:
    documents = helm.template({"serviceAccount": account})
    for component, (kind, suffix) in ACCOUNTS.items():
        pod = find(documents, kind, suffix)["spec"]["template"]["spec"]
        subject = {
            "kind": "ServiceAccount",
            "name": pod["serviceAccountName"],
            "namespace": "fake-system",
        }
        for binding in ("ClusterRoleBinding", "RoleBinding"):
            bound = find(documents, binding, component)
            assert bound["subjects"] == [subject]
            assert find(documents, bound["roleRef"]["kind"], bound["roleRef"]["name"])
    made = {d["metadata"]["name"] for d in documents if d["kind"] == "ServiceAccount"}
    pods = {f"fake-dra-driver-{c}" for c in ACCOUNTS}
    assert made == (set() if account else pods)


def guards(documents: list[JSON]) -> dict[str, JSON]:
    """The policies by the resource that each of them guards."""
    return {
        resource: each["spec"]
        for each in documents
        if each["kind"] == "ValidatingAdmissionPolicy"
        for rule in each["spec"]["matchConstraints"]["resourceRules"]
        for resource in rule["resources"]
    }


def as_dra_manifests() -> list[JSON]:
    """What a driver of the framework, by the name of the plugin here, is installed with."""
    name = "fake-dra-driver-kubeletplugin"
    reads_node = issubclass(StructuredFakeDriver, ReadsNode)
    wanted = Installation(FAKE, name, "fake-system", "i", ("c",), "class", reads_node=reads_node)
    return manifests(wanted)


def test_rights_of_a_structured_plugin_are_those_of_any_driver_of_the_framework(
    rendered: list[JSON],
) -> None:
    given = rights(rendered, "kubeletplugin")
    assert given.pop(f"Role {NAS_GROUP}/{NAS_PLURAL}")
    assert given == rights(as_dra_manifests(), "kubeletplugin")


def test_slices_are_guarded_as_those_of_any_driver_of_the_framework(rendered: list[JSON]) -> None:
    (expected,) = guards(as_dra_manifests()).values()
    assert guards(rendered)["resourceslices"] == expected


def test_node_restriction_guards_the_account_of_the_plugin(
    find: Find, rendered: list[JSON]
) -> None:
    account = find(rendered, "DaemonSet", "")["spec"]["template"]["spec"]["serviceAccountName"]
    expected = f"request.userInfo.username == 'system:serviceaccount:fake-system:{account}'"
    found = guards(rendered)
    assert set(found) == {NAS_PLURAL, "resourceslices"}
    for spec in found.values():
        assert [each["expression"] for each in spec["matchConditions"]] == [expected]


def test_every_node_restriction_is_bound_and_denies(rendered: list[JSON]) -> None:
    made = [d["metadata"]["name"] for d in rendered if d["kind"] == "ValidatingAdmissionPolicy"]
    bound = [d["spec"] for d in rendered if d["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert [spec["policyName"] for spec in bound] == made
    for spec in bound:
        assert spec["validationActions"] == ["Deny"]
        assert not {"matchResources", "paramRef"} & set(spec)


def test_node_restriction_covers_every_write_and_fails_closed(rendered: list[JSON]) -> None:
    for spec in guards(rendered).values():
        (rule,) = spec["matchConstraints"]["resourceRules"]
        assert set(rule["operations"]) == {"CREATE", "UPDATE", "DELETE"}
        assert spec["failurePolicy"] == "Fail"


def test_node_restriction_compares_the_node_of_the_token_with_the_name_of_the_state(
    rendered: list[JSON],
) -> None:
    spec = guards(rendered)[NAS_PLURAL]
    (rule,) = spec["matchConstraints"]["resourceRules"]
    assert (rule["apiGroups"], rule["apiVersions"]) == ([NAS_GROUP], [CRD_VERSION])
    variables = {each["name"]: each["expression"] for each in spec["variables"]}
    # tokens that no pod has may lack extra as a whole
    token = "request.userInfo.?extra[?'authentication.kubernetes.io/node-name'][0].orValue('')"
    assert variables["node"] == token
    # a deletion has no object, and what is created none that was there before
    assert variables["stateNode"] == "(object == null ? oldObject : object).metadata.name"
    checks = [each["expression"] for each in spec["validations"]]
    assert checks == ["variables.node != ''", "variables.node == variables.stateNode"]
    texts = [text for each in spec["validations"] for text in each.values()]
    used = {name for text in texts for name in re.findall(r"variables\.(\w+)", text)}
    assert used == set(variables)
