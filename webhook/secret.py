"""How what is kept stands in a Secret of type kubernetes.io/tls."""

import base64
from collections.abc import Mapping
from typing import Final

from api.objects import JSON
from api.resources import SECRETS
from api.times import micro_time, parse_time
from webhook.certificates import Pair
from webhook.rotation import Kept

TYPE: Final = "kubernetes.io/tls"

_SERVING: Final = ("tls.crt", "tls.key", "ca.crt")
_COMING: Final = ("next-tls.crt", "next-tls.key", "next-ca.crt")
_FORMER: Final = "former-ca.crt"
_SINCE: Final = "since"


def read(secret: JSON) -> Kept | None:
    """Return what a Secret has, None if that is nothing, or was damaged."""
    data = {name: _text(value) for name, value in (secret.get("data") or {}).items()}
    serving, coming = _pair(data, _SERVING), _pair(data, _COMING)
    since = parse_time(data.get(_SINCE))
    if serving is None or since is None:
        return None
    return Kept(serving, since, coming, data.get(_FORMER, ""))


def write(kept: Kept, name: str, namespace: str, stored: JSON | None) -> JSON:
    """Return the Secret to create, or to replace the stored one."""
    texts = dict(zip(_SERVING, _texts(kept.serving), strict=True))
    if kept.coming is not None:
        texts |= zip(_COMING, _texts(kept.coming), strict=True)
    if kept.former:
        texts[_FORMER] = kept.former
    texts[_SINCE] = micro_time(kept.since.timestamp())
    made = {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "type": TYPE,
    }
    data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    return {**(stored or made), "data": data}


def _texts(pair: Pair) -> tuple[str, str, str]:
    return pair.certificate, pair.key, pair.authority


def _pair(data: Mapping[str, str], names: tuple[str, str, str]) -> Pair | None:
    certificate, key, authority = (data.get(name, "") for name in names)
    return Pair(certificate, key, authority) if certificate and key and authority else None


def _text(value: object) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode()
    except ValueError:
        return ""
