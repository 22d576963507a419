from tests.e2e.cluster.gobuild import containerd, go_mod, kubernetes
from tests.e2e.cluster.versions import Version

UPSTREAM = {
    "Go": "1.22.0",
    "Replace": [
        {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
        {"Old": {"Path": "example.com/a"}, "New": {"Path": "example.com/b", "Version": "v1.2.3"}},
    ],
}


def test_module_takes_staging_modules_as_they_are_published() -> None:
    assert go_mod(kubernetes(Version(30, 14)), UPSTREAM).splitlines() == [
        "module programs",
        "",
        "go 1.22.0",
        "",
        "require k8s.io/kubernetes v1.30.14",
        "",
        "replace k8s.io/api => k8s.io/api v0.30.14",
        "replace example.com/a => example.com/b v1.2.3",
    ]


def test_module_without_replacements() -> None:
    assert "replace" not in go_mod(containerd(), {"Go": "1.23.0"})


def test_programs_know_their_version() -> None:
    source = kubernetes(Version(30, 14))
    assert sorted(source.packages) == [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
    ]
    assert source.stamps["k8s.io/component-base/version.gitVersion"] == "v1.30.14"
