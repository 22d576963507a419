import pytest

from kube.proxies import proxy_for

SERVER = "https://10.96.0.1:443"
NAMED = "https://api.corp.example:6443"
PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("host", "configured", "environ", "expected"),
    [
        pytest.param(SERVER, None, {}, None, id="none"),
        pytest.param(SERVER, None, {"HTTPS_PROXY": PROXY}, PROXY, id="upper-case"),
        pytest.param(SERVER, None, {"https_proxy": PROXY, "HTTPS_PROXY": "x"}, PROXY, id="lower"),
        pytest.param(SERVER, None, {"https_proxy": "", "HTTPS_PROXY": PROXY}, None, id="emptied"),
        pytest.param(SERVER, None, {"HTTP_PROXY": PROXY}, None, id="of-another-scheme"),
        pytest.param("http://a:80", None, {"HTTP_PROXY": PROXY}, PROXY, id="http"),
        pytest.param(SERVER, None, {"ALL_PROXY": PROXY}, PROXY, id="all"),
        pytest.param(SERVER, PROXY, {"HTTPS_PROXY": "http://other"}, PROXY, id="configured"),
        pytest.param(SERVER, "proxy:3128", {}, PROXY, id="without-scheme"),
        pytest.param(SERVER, "socks5://a", {}, "socks5://a", id="socks"),
        pytest.param("http://127.0.0.1:80", PROXY, {}, PROXY, id="configured-for-loopback"),
    ],
)
def test_proxy(host: str, configured: str | None, environ, expected: str | None) -> None:
    assert proxy_for(host, configured, environ) == expected


@pytest.mark.parametrize(
    ("scheme", "name"), [("http", "HTTP_PROXY"), ("https", "https_proxy"), ("https", "ALL_PROXY")]
)
@pytest.mark.parametrize(
    ("host", "direct"),
    [
        pytest.param("localhost", True, id="localhost"),
        pytest.param("LocalHost", True, id="any-case"),
        pytest.param("127.0.0.1", True, id="loopback"),
        pytest.param("127.8.9.1", True, id="loopback-network"),
        pytest.param("[::1]", True, id="loopback-v6"),
        pytest.param("[::ffff:127.0.0.1]", True, id="loopback-v4-in-v6"),
        pytest.param("localhost.example", False, id="another-host"),
        pytest.param("128.0.0.1", False, id="another-address"),
        pytest.param("[fd00::1]", False, id="another-address-v6"),
    ],
)
def test_proxy_of_the_environment_is_not_for_this_machine(
    scheme: str, name: str, host: str, direct: bool
) -> None:
    found = proxy_for(f"{scheme}://{host}:6443", None, {name: PROXY})
    assert found == (None if direct else PROXY)


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        pytest.param(SERVER, "10.96.0.0/12", True, id="network"),
        pytest.param(SERVER, "10.0.0.0/16", False, id="other-network"),
        pytest.param(SERVER, "10.96.0.1", True, id="address"),
        pytest.param(SERVER, "a, *", True, id="all"),
        pytest.param("https://[fd00::1]:443", "fd00::/8", True, id="network-v6"),
        pytest.param(NAMED, "corp.example", True, id="domain"),
        pytest.param(NAMED, ".corp.example", True, id="domain-with-dot"),
        pytest.param(NAMED, "API.corp.example", True, id="any-case"),
        pytest.param(NAMED, "api.corp.example:6443", True, id="with-port"),
        pytest.param(NAMED, "api.corp.example:443", False, id="other-port"),
        pytest.param(NAMED, "orp.example", False, id="half-a-label"),
        pytest.param(NAMED, " ,", False, id="empty"),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_exception(host: str, no_proxy: str, direct: bool, name: str) -> None:
    found = proxy_for(host, PROXY, {name: no_proxy})
    assert found == (None if direct else PROXY)
