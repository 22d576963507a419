import pytest

from kube.proxies import proxy_for
from tests.support.tables import cases

SERVER = "https://10.96.0.1:443"
NAMED = "https://api.corp.example:6443"
PROXY = "http://proxy:3128"


@cases(
    ("host", "configured", "environ", "expected"),
    {
        "none": (SERVER, None, {}, None),
        "upper-case": (SERVER, None, {"HTTPS_PROXY": PROXY}, PROXY),
        "lower": (SERVER, None, {"https_proxy": PROXY, "HTTPS_PROXY": "x"}, PROXY),
        "emptied": (SERVER, None, {"https_proxy": "", "HTTPS_PROXY": PROXY}, None),
        "of-another-scheme": (SERVER, None, {"HTTP_PROXY": PROXY}, None),
        "http": ("http://a:80", None, {"HTTP_PROXY": PROXY}, PROXY),
        "all": (SERVER, None, {"ALL_PROXY": PROXY}, PROXY),
        "configured": (SERVER, PROXY, {"HTTPS_PROXY": "http://other"}, PROXY),
        "without-scheme": (SERVER, "proxy:3128", {}, PROXY),
        "socks": (SERVER, "socks5://a", {}, "socks5://a"),
        "configured-for-loopback": ("http://127.0.0.1:80", PROXY, {}, PROXY),
    },
)
def test_proxy(host: str, configured: str | None, environ, expected: str | None) -> None:
    assert proxy_for(host, configured, environ) == expected


@pytest.mark.parametrize(
    ("scheme", "name"), [("http", "HTTP_PROXY"), ("https", "https_proxy"), ("https", "ALL_PROXY")]
)
@cases(
    ("host", "direct"),
    {
        "localhost": ("localhost", True),
        "any-case": ("LocalHost", True),
        "loopback": ("127.0.0.1", True),
        "loopback-network": ("127.8.9.1", True),
        "loopback-v6": ("[::1]", True),
        "loopback-v4-in-v6": ("[::ffff:127.0.0.1]", True),
        "another-host": ("localhost.example", False),
        "another-address": ("128.0.0.1", False),
        "another-address-v6": ("[fd00::1]", False),
    },
)
def test_proxy_of_the_environment_is_not_for_this_machine(
    scheme: str, name: str, host: str, direct: bool
) -> None:
    found = proxy_for(f"{scheme}://{host}:6443", None, {name: PROXY})
    assert found == (None if direct else PROXY)


@cases(
    ("host", "no_proxy", "direct"),
    {
        "network": (SERVER, "10.96.0.0/12", True),
        "other-network": (SERVER, "10.0.0.0/16", False),
        "address": (SERVER, "10.96.0.1", True),
        "all": (SERVER, "a, *", True),
        "network-v6": ("https://[fd00::1]:443", "fd00::/8", True),
        "domain": (NAMED, "corp.example", True),
        "domain-with-dot": (NAMED, ".corp.example", True),
        "any-case": (NAMED, "API.corp.example", True),
        "with-port": (NAMED, "api.corp.example:6443", True),
        "other-port": (NAMED, "api.corp.example:443", False),
        "half-a-label": (NAMED, "orp.example", False),
        "empty": (NAMED, " ,", False),
    },
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_exception(host: str, no_proxy: str, direct: bool, name: str) -> None:
    found = proxy_for(host, PROXY, {name: no_proxy})
    assert found == (None if direct else PROXY)
