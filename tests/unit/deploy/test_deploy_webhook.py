"""The admission webhook of the chart: off by default, and as the program and its objects are."""

from collections.abc import Callable
from typing import Any

import click
import pytest

from api.contract import FAKE
from api.objects import JSON, object_key
from api.resources import SECRETS, VALIDATING_WEBHOOKS
from testing.apiserver import MemoryApi
from tests.support.helm import Helm
from tests.support.rbac import permissions
from tests.unit.deploy.test_deploy_rights import breaches
from webhook.__main__ import main as program
from webhook.configuration import FAILURE_POLICIES, configuration
from webhook.sources import Names, OwnSecret
from webhook.wiring import utc_now

Find = Callable[[list[JSON], str, str], JSON]

NAME = "fake-dra-driver-webhook"
NAMES = Names("fake-system", NAME, f"{NAME}-certificate", NAME)
ON: JSON = {"webhook": {"enabled": True}}
CERT_MANAGER: JSON = {"webhook": {"enabled": True, "certManager": {"enabled": True}}}


@pytest.fixture(scope="session")
def own(helm: Helm) -> list[JSON]:
    """An installation whose webhook makes its certificate."""
    return helm.template(ON)


@pytest.fixture(scope="session")
def managed(helm: Helm) -> list[JSON]:
    """An installation whose webhook gets its certificate from cert-manager."""
    return helm.template(CERT_MANAGER)


def named(documents: list[JSON]) -> set[tuple[str, str]]:
    return {(d["kind"], d["metadata"]["name"]) for d in documents if NAME in d["metadata"]["name"]}


def pod_of(find: Find, documents: list[JSON]) -> Any:
    return find(documents, "Deployment", "-webhook")["spec"]["template"]["spec"]


def settings(find: Find, documents: list[JSON], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the program read its settings as it would in the container."""
    (container,) = pod_of(find, documents)["containers"]
    for entry in container["env"]:
        monkeypatch.setenv(entry["name"], entry.get("value", "from-a-field"))
    return program.make_context("program", list(container.get("args", []))).params


def test_it_is_off_by_default(rendered: list[JSON]) -> None:
    assert named(rendered) == set()


SHARED = {
    (kind, NAME)
    for kind in (
        "ServiceAccount",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "ValidatingWebhookConfiguration",
    )
}
RIGHTS = {(kind, NAME) for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")}


def test_objects_of_a_certificate_of_its_own(own: list[JSON]) -> None:
    assert named(own) == SHARED | RIGHTS | {("Secret", NAMES.secret)}


def test_objects_of_a_certificate_of_cert_manager(managed: list[JSON]) -> None:
    assert named(managed) == SHARED | {
        ("Issuer", f"{NAME}-selfsigned"),
        ("Certificate", f"{NAME}-ca"),
        ("Issuer", NAME),
        ("Certificate", NAME),
    }


@pytest.mark.parametrize("policy", FAILURE_POLICIES)
@pytest.mark.parametrize("driver", [FAKE.driver_name, "other.example.com"])
@pytest.mark.parametrize("version", ["1.27", "1.28", "1.37"])
def test_configuration_is_the_one_of_the_program(
    helm: Helm, find: Find, version: str, driver: str, policy: str
) -> None:
    values = {"webhook": {"enabled": True, "failurePolicy": policy}, "driverName": driver}
    documents = helm.template(values, f"--kube-version=v{version}.0")
    expected = configuration(
        NAMES.configuration, NAMES.service, NAMES.namespace, [driver], failure_policy=policy
    )
    found = find(documents, "ValidatingWebhookConfiguration", "")
    assert found["metadata"]["name"] == expected["metadata"]["name"]
    assert found["webhooks"] == expected["webhooks"]


def test_configuration_names_the_other_drivers_whose_parameters_are_looked_at(
    helm: Helm, find: Find
) -> None:
    """Or API servers would never ask about them."""
    others = ["gpu.example.com", "net.example.com"]
    documents = helm.template({"webhook": {"enabled": True, "drivers": others}})
    expected = configuration(
        NAMES.configuration, NAMES.service, NAMES.namespace, [FAKE.driver_name, *others]
    )
    found = find(documents, "ValidatingWebhookConfiguration", "")
    assert found["webhooks"] == expected["webhooks"]


def test_environment_is_known_to_the_program(
    find: Find, own: list[JSON], managed: list[JSON]
) -> None:
    known: set[str] = set()
    for param in program.params:
        names = param.envvar if isinstance(param, click.Option) else None
        known.update([names] if isinstance(names, str) else names or [])
    for documents in (own, managed):
        (container,) = pod_of(find, documents)["containers"]
        given = [entry["name"] for entry in container["env"]]
        assert set(given) <= known
        assert len(given) == len(set(given))
        assert container["command"] == [program.name]


def test_program_reads_the_names_of_its_objects(
    find: Find, own: list[JSON], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = settings(find, own, monkeypatch)
    assert (read["namespace"], read["contract"]) == ("from-a-field", FAKE)
    names = (read["service"], read["certificate_secret"], read["webhook_configuration"])
    assert names == (NAMES.service, NAMES.secret, NAMES.configuration)
    assert (read["https_endpoint"], read["http_endpoint"]) == (":8443", ":8080")
    assert (read["tls_cert_file"], read["tls_private_key_file"]) == ("", "")
    assert {(d["metadata"]["namespace"], d["metadata"]["name"]) for d in own if is_target(d)} == {
        (NAMES.namespace, NAMES.service),
        (NAMES.namespace, NAMES.secret),
    }


def is_target(document: JSON) -> bool:
    """Tell whether an object is one that the program is told of."""
    return document["kind"] in ("Service", "Secret") and NAME in document["metadata"]["name"]


def test_overridden_values_reach_the_program(
    helm: Helm, find: Find, overridden: JSON, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = settings(find, helm.template(overridden), monkeypatch)
    assert (read["https_endpoint"], read["http_endpoint"]) == (":9443", ":9090")
    assert (read["shutdown_delay"], read["verbosity"]) == (7.0, 6)
    assert read["contract"] == FAKE.renamed("other.example.com")
    assert (read["kube_api_qps"], read["metrics_path"]) == (7.5, "/numbers")


def test_pod_outlives_the_end_of_its_program(
    find: Find, own: list[JSON], monkeypatch: pytest.MonkeyPatch
) -> None:
    delay = settings(find, own, monkeypatch)["shutdown_delay"]
    assert pod_of(find, own)["terminationGracePeriodSeconds"] >= delay + 15


def test_service_leads_to_the_ports_of_the_pod(find: Find, own: list[JSON]) -> None:
    (container,) = pod_of(find, own)["containers"]
    served = {port["name"]: port["containerPort"] for port in container["ports"]}
    service = find(own, "Service", "-webhook")["spec"]
    assert served == {"https": 8443, "http": 8080}
    # 443 is what the clientConfig of a webhook means without a port
    assert {p["port"]: p["targetPort"] for p in service["ports"]} == {443: "https", 8080: "http"}
    labels = find(own, "Deployment", "-webhook")["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert [each["port"] for each in probes(container)] == ["http"] * 3


def probes(container: JSON) -> list[JSON]:
    return [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]


def test_service_serves_no_metrics_that_nobody_wants(helm: Helm, find: Find) -> None:
    documents = helm.template({**ON, "metrics": {"service": {"enabled": False}}})
    (port,) = find(documents, "Service", "-webhook")["spec"]["ports"]
    assert port["name"] == "https"


def test_secret_has_no_data_that_an_upgrade_would_write_over(find: Find, own: list[JSON]) -> None:
    secret = find(own, "Secret", "-certificate")
    assert not {"data", "stringData"} & set(secret)
    # the others cannot be made without data
    assert secret["type"] == "Opaque"


def test_pod_meets_the_restricted_standard(find: Find, own: list[JSON]) -> None:
    assert breaches(pod_of(find, own)) == set()


def test_certificate_of_cert_manager_is_where_the_program_reads_it(
    find: Find, managed: list[JSON], monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = pod_of(find, managed)
    ((mount,),) = [container["volumeMounts"] for container in pod["containers"]]
    (volume,) = pod["volumes"]
    read = settings(find, managed, monkeypatch)
    files = {read["tls_cert_file"], read["tls_private_key_file"]}
    assert files == {f"{mount['mountPath']}/tls.crt", f"{mount['mountPath']}/tls.key"}
    assert mount["readOnly"] is True
    wanted = find(managed, "Certificate", NAME)["spec"]
    assert volume["secret"] == {"secretName": wanted["secretName"]}
    assert set(wanted["dnsNames"]) <= set(NAMES.hosts)
    assert wanted["dnsNames"][0] == NAMES.hosts[0]


def test_authority_of_cert_manager_lasts_longer_than_certificates(
    find: Find, managed: list[JSON]
) -> None:
    """A certificate that is renewed has the authority that API servers trust already."""
    authority = find(managed, "Certificate", "-ca")["spec"]
    issuer = find(managed, "Issuer", NAME)
    assert authority["isCA"] is True
    assert issuer["spec"] == {"ca": {"secretName": authority["secretName"]}}
    assert authority["issuerRef"]["name"] == f"{NAME}-selfsigned"
    serving = find(managed, "Certificate", NAME)
    assert serving["spec"]["issuerRef"]["name"] == issuer["metadata"]["name"]
    notes = find(managed, "ValidatingWebhookConfiguration", "")["metadata"]["annotations"]
    source = f"fake-system/{serving['metadata']['name']}"
    assert notes == {"cert-manager.io/inject-ca-from": source}


def test_authority_of_cert_manager_keeps_its_key_when_it_is_renewed(
    find: Find, managed: list[JSON]
) -> None:
    """What the former one has signed is trusted until every pod has read what the next one signed.

    cert-manager 1.18 makes another key by default, and replaces what API servers trust at once.
    """
    authority = find(managed, "Certificate", "-ca")["spec"]
    assert authority["privateKey"]["rotationPolicy"] == "Never"
    serving = find(managed, "Certificate", NAME)["spec"]
    assert serving["privateKey"]["rotationPolicy"] == "Always"


def test_with_cert_manager_it_has_no_rights_and_no_token(find: Find, managed: list[JSON]) -> None:
    assert not [each for each in permissions(managed) if each.component == "webhook"]
    assert pod_of(find, managed)["automountServiceAccountToken"] is False


def test_replicas_are_kept_apart_and_not_evicted_at_once(find: Find, own: list[JSON]) -> None:
    deployment = find(own, "Deployment", "-webhook")["spec"]
    assert deployment["replicas"] == 2
    ((term,),) = pod_of(find, own)["affinity"]["podAntiAffinity"].values()
    selected = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
    assert selected == deployment["selector"]["matchLabels"]
    budget = find(own, "PodDisruptionBudget", "")["spec"]
    assert (budget["maxUnavailable"], budget["selector"]["matchLabels"]) == (1, selected)


def test_rights_are_those_that_keeping_a_certificate_takes(find: Find, own: list[JSON]) -> None:
    api = MemoryApi()
    api.create(SECRETS, find(own, "Secret", "-certificate"))
    api.create(VALIDATING_WEBHOOKS, find(own, "ValidatingWebhookConfiguration", ""))
    before = len(api.calls)
    OwnSecret(api, NAMES, utc_now).look()
    given = {
        (each.verb, each.resource.partition("/")[2], object_key(each.namespace, each.name))
        for each in permissions(own)
        if each.component == "webhook"
    }
    assert set(api.calls[before:]) == given
