"""What a program would refuse at its start, the chart refuses; and it takes what they take."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from click import Command
from click.testing import CliRunner

import controller.__main__ as controller_program
import plugin.__main__ as plugin_program
from api.contract import FAKE
from api.objects import JSON
from dra.places import check_length
from dra.settings import NodeConfig
from tests.support.helm import Helm, HelmFailed

Find = Callable[[list[JSON], str, str], JSON]

LONGEST = 107 - len("/plugins_registry/fake.resource.3-shake.com-reg.sock")
"""Of kubeletRoot, for a path of 107 bytes: as long as that of a socket may be."""


def election(duration: float, deadline: float, period: float, enabled: bool = True) -> JSON:
    times = {"leaseDuration": duration, "renewDeadline": deadline, "retryPeriod": period}
    return {"controller": {"leaderElection": {"enabled": enabled, **times}}}


def paths(metrics: str, pprof: str = "") -> JSON:
    return {"metrics": {"path": metrics}, "http": {"pprofPath": pprof}}


def splits(sizes: str, static: str = "") -> JSON:
    return {"kubeletPlugin": {"splits": sizes, "staticSplits": static}}


FIT: dict[str, JSON] = {
    "nothing": {},
    "times just far enough apart": election(11, 10, 8),
    "fractions of a second": election(1, 0.9, 0.5),
    "longest lease": election(3600, 3599, 2000),
    "no election, whatever its times": election(5, 10, 20, enabled=False),
    "fewest workers": {"controller": {"workers": 1, "unprepareTimeout": 0}},
    "most workers": {"controller": {"workers": 100, "unprepareTimeout": 3600}},
    "lowest rates": {"kubeApi": {"qps": 0.0000001, "burst": 1}},
    "highest rates": {"kubeApi": {"qps": 10000, "burst": 10000}},
    "whole numbers with a point": {"kubeApi": {"burst": 5.0}, "controller": {"workers": 2.0}},
    "least logs": {"logging": {"format": "text", "verbosity": 0}},
    "most logs": {"logging": {"format": "json", "verbosity": 10}},
    "no devices": {"kubeletPlugin": {"numDevices": 0}},
    "most devices": {"kubeletPlugin": {"numDevices": 128}},
    "longest model": {"kubeletPlugin": {"deviceModel": "m" * 63}},
    "model of most bytes": {"kubeletPlugin": {"deviceModel": "ä" * 32}},
    "classic": {"kind": "classic"},
    "structured": {"kind": "structured"},
    "no splits": splits("", ""),
    "one split": splits("16", "16=0"),
    "all splits": splits("16,8,4,2", "2=128,4=99,8=100,16=9"),
    "shares": {"kubeletPlugin": {"shares": True}},
    "no class": {"resourceClass": {"create": False}},
    "longest class": {"resourceClass": {"name": "c" * 247}},
    "ports": {"http": {"port": 65535}},
    "paths that begin alike": paths("/healthz/metrics", "/metrics"),
    "path with a slash at its end": paths("/metrics/", "/debug/"),
    "longest root": {"kubeletRoot": "/" + "k" * (LONGEST - 1)},
}

UNFIT: dict[str, JSON] = {
    "lease not longer than the deadline": {"controller": {"leaderElection": {"leaseDuration": 10}}},
    "lease of the issue": {"controller": {"leaderElection": {"leaseDuration": 5}}},
    "deadline as long as the lease": {"controller": {"leaderElection": {"renewDeadline": 15}}},
    "deadline too near to the period": {"controller": {"leaderElection": {"renewDeadline": 6}}},
    "period too near to the deadline": {"controller": {"leaderElection": {"retryPeriod": 9}}},
    "period of nothing": election(15, 10, 0),
    "lease of nothing": election(0, 10, 5),
    "lease too long": election(3601, 10, 5),
    "no workers": {"controller": {"workers": 0}},
    "too many workers": {"controller": {"workers": 101}},
    "timeout too long": {"controller": {"unprepareTimeout": 3601}},
    "no requests": {"kubeApi": {"qps": 0}},
    "too many requests": {"kubeApi": {"qps": 10001}},
    "no burst": {"kubeApi": {"burst": 0}},
    "too much burst": {"kubeApi": {"burst": 10001}},
    "unknown format": {"logging": {"format": "xml"}},
    "too much log": {"logging": {"verbosity": 11}},
    "too many devices": {"kubeletPlugin": {"numDevices": 129}},
    "model of too many bytes": {"kubeletPlugin": {"deviceModel": "ä" * 33}},
    "unknown kind": {"kind": "modern"},
    "split into three": splits("2,3"),
    "split twice": splits("2,4,2"),
    "split of nothing": splits("2,,4"),
    "split beforehand into three": splits("2", "3=1"),
    "split beforehand twice": splits("2", "2=1,2=3"),
    "split beforehand without a number": splits("2", "2"),
    "split beforehand of too many": splits("2", "2=129"),
    "class with two points": {"resourceClass": {"name": "a..b"}},
    "class with a space": {"resourceClass": {"name": "a b"}},
    "class too long": {"resourceClass": {"name": "c" * 248}},
    "no port": {"http": {"port": 65536}},
    "metrics at the root": paths("/"),
    "metrics of a slash too many": paths("//"),
    "metrics at a relative path": paths("metrics"),
    "metrics with a space": paths("/a b"),
    "metrics with a query": paths("/metrics?x=1"),
    "metrics with a control character": paths("/a\x7f"),
    "metrics with a space that is none of ASCII": paths("/a\u00a0b"),
    "metrics at a health check": paths("/healthz"),
    "metrics at another health check": paths("/readyz/"),
    "stacks at the metrics": paths("/metrics", "/metrics/"),
    "stacks at other metrics": paths("/m", "/m"),
    "stacks at a health check": paths("/metrics", "/readyz"),
    "stacks at the root": paths("/metrics", "/"),
    "root too long for a socket": {"kubeletRoot": "/" + "k" * LONGEST},
    "root of too many bytes": {"kubeletRoot": "/" + "ä" * (LONGEST // 2 + 1)},
}

TABLE = pytest.mark.parametrize(
    ("values", "fit"),
    [*((v, True) for v in FIT.values()), *((v, False) for v in UNFIT.values())],
    ids=[*FIT, *UNFIT],
)


@pytest.fixture(scope="session")
def unguarded(root: Path, chart: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The chart without what refuses values, to see what the programs would be given."""
    copy = tmp_path_factory.mktemp("charts") / "chart"
    shutil.copytree(chart, copy)
    (copy / "values.schema.json").unlink()
    (copy / "templates/validation.yaml").unlink()
    return Helm(root / ".bin/helm", copy)


@TABLE
def test_chart_refuses_what_is_unfit(helm: Helm, values: JSON, fit: bool) -> None:
    if fit:
        assert helm.template(values)
    else:
        with pytest.raises(HelmFailed):
            helm.template(values)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that read their settings and end before they do anything."""
    for program in (controller_program, plugin_program):
        monkeypatch.setattr(program, "configure", lambda *_: None)
        monkeypatch.setattr(program, "Lifecycle", MagicMock())
    monkeypatch.setattr(controller_program, "run", lambda *_: 0)

    def check_places(_life: object, on: NodeConfig, *_rest: object) -> int:
        places = on.places(FAKE)
        for socket in (places.plugin_socket, places.registration_socket):
            check_length(socket)
        return 0

    monkeypatch.setattr(plugin_program, "run", check_places)


def refusal(main: Command, workload: JSON) -> str:
    """Return why a program does not start in the container of a workload; empty if it does."""
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    env = {entry["name"]: entry.get("value", "from-a-field") for entry in container["env"]}
    result = CliRunner().invoke(main, container.get("args", []), env=env)
    return result.output if result.exit_code else ""


@pytest.mark.parametrize(
    ("case", "remedy"),
    [
        ("lease of the issue", "leaseDuration=5 has to be more than renewDeadline=10; "),
        ("deadline too near to the period", "more than 1.2 times retryPeriod=5; leaseDuration=15"),
        ("metrics at another health check", "metrics.path: /readyz is a health check; give "),
        ("stacks at the metrics", "http.pprofPath: /metrics is metrics.path already; give another"),
        (
            "split twice",
            "kubeletPlugin.splits: 2,4,2 has a size more than once; give each one once",
        ),
        ("split beforehand twice", "kubeletPlugin.staticSplits: 2,2 has a size more than once; "),
        ("model of too many bytes", "it has 66 bytes, and attributes of devices take 64; give"),
        ("root too long for a socket", "-reg.sock has 108 bytes, and Unix sockets take 107; "),
    ],
)
def test_chart_says_what_to_do(helm: Helm, case: str, remedy: str) -> None:
    with pytest.raises(HelmFailed, match=re.escape(remedy)):
        helm.template(UNFIT[case])


@TABLE
def test_programs_refuse_what_is_unfit(
    unguarded: Helm, find: Find, programs: None, values: JSON, fit: bool
) -> None:
    documents = unguarded.template(values)
    refusals = (
        refusal(controller_program.main, find(documents, "Deployment", "")),
        refusal(plugin_program.main, find(documents, "DaemonSet", "")),
    )
    assert (refusals == ("", "")) is fit, refusals
    assert all(text.startswith("Error: ") for text in refusals if text)
