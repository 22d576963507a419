import pytest

from api.resources import DRA_V1ALPHA2, EVENTS, NODES, PODS, STRUCTURED_VERSIONS, Resource


@pytest.mark.parametrize(
    ("resource", "args", "path"),
    [
        pytest.param(PODS, (), "/api/v1/pods", id="core-all-namespaces"),
        pytest.param(PODS, ("a",), "/api/v1/namespaces/a/pods", id="core-one-namespace"),
        pytest.param(PODS, ("a", "b"), "/api/v1/namespaces/a/pods/b", id="core-object"),
        pytest.param(PODS, ("a", "b", "log"), "/api/v1/namespaces/a/pods/b/log", id="subresource"),
        pytest.param(NODES, (None, "n"), "/api/v1/nodes/n", id="cluster-scoped"),
        pytest.param(NODES, ("a", "n"), "/api/v1/nodes/n", id="cluster-scoped-ignores-namespace"),
        pytest.param(
            DRA_V1ALPHA2.claims,
            ("a", "c", "status"),
            "/apis/resource.k8s.io/v1alpha2/namespaces/a/resourceclaims/c/status",
            id="named-group",
        ),
        pytest.param(
            STRUCTURED_VERSIONS["v1beta1"].slices,
            (None, "s"),
            "/apis/resource.k8s.io/v1beta1/resourceslices/s",
            id="slice",
        ),
        pytest.param(
            PODS, ("a/..", "b?c"), "/api/v1/namespaces/a%2F../pods/b%3Fc", id="names-are-quoted"
        ),
    ],
)
def test_path(resource: Resource, args: tuple, path: str) -> None:
    assert resource.path(*args) == path


def test_namespaced_object_needs_a_namespace() -> None:
    with pytest.raises(ValueError, match="pods 'b': a namespaced object needs a namespace"):
        PODS.path(None, "b")


def test_api_version() -> None:
    assert EVENTS.api_version == "v1"
    assert DRA_V1ALPHA2.claims.api_version == "resource.k8s.io/v1alpha2"
