from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE
from ops.config import (
    CommonConfig,
    cluster_options,
    common_config,
    common_options,
    logging_options,
    namespace_of,
)
from ops.endpoint import Endpoint, parse_endpoint
from ops.errors import ConfigError
from ops.settings import Program, program
from tests.support.settings import DEFAULTS
from tests.support.tables import cases

VARIABLES = (
    *("KUBECONFIG", "KUBE_API_QPS", "KUBE_API_BURST", "POD_NAMESPACE", "NAMESPACE", "V"),
    *("HTTP_ENDPOINT", "METRICS_PATH", "PPROF_PATH", "LOGGING_FORMAT", "NORMAL_EVENTS"),
    "DRIVER_NAME",
)


class Seen:
    """A program that remembers the settings it was called with."""

    def __init__(self, namespace_file: Path) -> None:
        self.config: CommonConfig | None = None

        @program("tool")
        @common_options
        def main(**common: object) -> None:
            """Do nothing."""
            self.config = common_config(common, namespace_file=namespace_file)

        self.main: Program = main

    def run(self, *args: str, **env: str) -> Any:
        runner = CliRunner(env={**dict.fromkeys(VARIABLES), **env})
        return runner.invoke(self.main, list(args))


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    file = tmp_path / "namespace"
    file.write_text("fake-system\n")
    return Seen(file)


def test_the_defaults_are_those_of_the_chart(seen: Seen) -> None:
    assert seen.run().exit_code == 0
    assert seen.config == DEFAULTS


@pytest.mark.parametrize(
    ("flag", "variable", "value", "attribute", "expected"),
    [
        ("--kubeconfig", "KUBECONFIG", "/a b", "kubeconfig", "/a b"),
        ("--kube-api-qps", "KUBE_API_QPS", "2.5", "kube_api_qps", 2.5),
        ("--kube-api-burst", "KUBE_API_BURST", "7", "kube_api_burst", 7),
        ("--namespace", "POD_NAMESPACE", "mine", "namespace", "mine"),
        ("--namespace", "NAMESPACE", "mine", "namespace", "mine"),
        ("--http-endpoint", "HTTP_ENDPOINT", ":8080", "http_endpoint", ":8080"),
        ("--metrics-path", "METRICS_PATH", "/m", "metrics_path", "/m"),
        ("--metrics-path", "METRICS_PATH", "/m/", "metrics_path", "/m"),
        ("--pprof-path", "PPROF_PATH", "/debug/pprof", "pprof_path", "/debug/pprof"),
        ("--logging-format", "LOGGING_FORMAT", "json", "logging_format", "json"),
        ("--v", "V", "5", "verbosity", 5),
        ("-v", "V", "0", "verbosity", 0),
        ("--normal-events", "NORMAL_EVENTS", "false", "normal_events", False),
        ("--driver-name", "DRIVER_NAME", "a.b", "contract", FAKE.renamed("a.b")),
    ],
)
def test_every_setting_has_a_flag_and_a_variable(
    seen: Seen, flag: str, variable: str, value: str, attribute: str, expected: object
) -> None:
    for args, env in ([flag, value], {}), ([], {variable: value}):
        assert seen.run(*args, **env).exit_code == 0
        assert getattr(seen.config, attribute) == expected


@pytest.mark.parametrize("form", ["-v5", "-v=5", "--v=5", "--v 5", "-v 5"])
def test_verbosity_takes_the_forms_of_klog(seen: Seen, form: str) -> None:
    assert seen.run(*form.split()).exit_code == 0
    assert seen.config is not None
    assert seen.config.verbosity == 5


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("gpu.example.com", True),
        ("3-shake", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("Gpu.example.com", False),
        ("gpu..example", False),
        ("gpu.example.com/x", False),
        ("../gpu", False),
        ("-gpu", False),
        ("gpu-", False),
        ("gpu_1", False),
        ("gpu\n", False),
    ],
)
def test_the_name_of_a_driver_is_a_dns_name(seen: Seen, name: str, fits: bool) -> None:
    result = seen.run("--driver-name", name)
    assert (result.exit_code, seen.config is not None) == ((0, True) if fits else (2, False))
    if not fits:
        assert "--driver-name (env DRIVER_NAME): " in result.output
        assert "; give a DNS name of at most 63 lower-case characters" in result.output


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_unset(seen: Seen, variable: str) -> None:
    assert seen.run(**{variable: ""}).exit_code == 0
    assert seen.config == DEFAULTS


@pytest.mark.parametrize(
    ("flag", "value", "label", "remedy"),
    [
        ("--kube-api-qps", "0", "(env KUBE_API_QPS)", "give a number above 0, up to 10000"),
        ("--kube-api-qps", "nan", "(env KUBE_API_QPS)", "give a number above 0"),
        ("--kube-api-qps", "inf", "(env KUBE_API_QPS)", "give a number above 0"),
        ("--kube-api-qps", "10001", "(env KUBE_API_QPS)", "give a number above 0"),
        ("--kube-api-burst", "0", "(env KUBE_API_BURST)", "give a whole number from 1"),
        ("--kube-api-burst", "1.5", "(env KUBE_API_BURST)", "give a whole number from 1"),
        ("--http-endpoint", "8080", "(env HTTP_ENDPOINT)", 'give ":8080"'),
        ("--metrics-path", "metrics", "(env METRICS_PATH)", "such as /metrics"),
        ("--metrics-path", "", "(env METRICS_PATH)", "such as /metrics"),
        ("--metrics-path", "/", "(env METRICS_PATH)", "such as /metrics"),
        ("--metrics-path", "/<x>", "(env METRICS_PATH)", "such as /metrics"),
        ("--metrics-path", "/healthz", "(env METRICS_PATH)", "such as /metrics"),
        ("--pprof-path", "/metrics", "(env PPROF_PATH)", "such as /debug/pprof"),
        ("--pprof-path", "/readyz", "(env PPROF_PATH)", "such as /debug/pprof"),
        ("--pprof-path", "debug", "(env PPROF_PATH)", "such as /debug/pprof"),
        ("--logging-format", "xml", "(env LOGGING_FORMAT)", "give text or json"),
        ("--v", "11", "(env V)", "give a whole number from 0 to 10"),
        ("--v", "high", "(env V)", "give a whole number from 0 to 10"),
        ("--normal-events", "some", "(env NORMAL_EVENTS)", "give true or false"),
    ],
)
def test_a_wrong_value_names_flag_variable_and_remedy(
    seen: Seen, flag: str, value: str, label: str, remedy: str
) -> None:
    found = seen.run(flag, value)
    assert (found.exit_code, seen.config) == (2, None)
    assert f"{flag} {label}" in found.stderr
    assert remedy in found.stderr
    assert found.stderr.count("\n") == 1


def test_without_a_namespace_nothing_runs(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "none")
    found = seen.run()
    assert (found.exit_code, seen.config) == (2, None)
    assert "--namespace (env POD_NAMESPACE or NAMESPACE) is not set" in found.stderr
    assert "such as fake-system" in found.stderr


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_namespace_file_without_a_name_is_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "namespace"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="is not set"):
        namespace_of({"namespace": None}, file)


def test_one_shot_tools_take_a_part_of_the_settings() -> None:
    @program("tool")
    @cluster_options
    @logging_options
    def main(**settings: object) -> None:
        """Do nothing."""
        assert set(settings) == {"kubeconfig", "namespace", "logging_format", "verbosity"}

    found = CliRunner(env=dict.fromkeys(VARIABLES)).invoke(main, [], catch_exceptions=False)
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":8080", Endpoint("", 8080)),
        (":0", Endpoint("", 0)),
        (":65535", Endpoint("", 65535)),
        ("127.0.0.1:8080", Endpoint("127.0.0.1", 8080)),
        ("localhost:80", Endpoint("localhost", 80)),
        ("[::1]:8080", Endpoint("::1", 8080)),
    ],
)
def test_an_endpoint_is_read(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text) == expected


@cases(
    "text",
    {
        "empty": "",
        "no-colon": "8080",
        "no-port": ":",
        "port-by-name": ":http",
        "port-too-high": ":65536",
        "negative-port": ":-1",
        "other-digits": ":٣",
        "IPv6-without-brackets": "::1:8080",
        "IPv4-in-brackets": "[127.0.0.1]:8080",
        "half-a-bracket": "[::1:8080",
        "URL": "http://a:8080",
        "blank": "a b:8080",
        "line-break": "a\n:8080",
    },
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--http-endpoint \(env HTTP_ENDPOINT\): .*; give "):
        parse_endpoint(text)


hosts = st.sampled_from(["", "localhost", "127.0.0.1", "[::1]", "[fe80::1]"])


@given(hosts, st.integers(0, 65535))
def test_every_port_of_every_host_is_an_endpoint(host: str, port: int) -> None:
    assert parse_endpoint(f"{host}:{port}") == Endpoint(host.strip("[]"), port)


def accepted(text: str) -> bool:
    try:
        parse_endpoint(text)
    except ConfigError:
        return False
    return True


@given(st.text(":[]/@. 0189ab"))
def test_any_text_is_an_endpoint_or_refused(text: str) -> None:
    assert not accepted(text) or text.rpartition(":")[2].isdigit()
