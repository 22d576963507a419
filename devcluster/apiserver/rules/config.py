"""Rules of ConfigMaps and Secrets: whose data may be frozen, and what their keys look like.

Source: kubernetes pkg/apis/core/validation/validation.go (ValidateConfigMap, ValidateSecret).
"""

import base64
import re
from collections.abc import Iterator
from typing import Final

from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.strategy import Strategy

_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_DATA: Final = ("data", "binaryData")


def _encode_strings(secret: JSON) -> None:
    secret.setdefault("type", "Opaque")
    for key, value in (secret.pop("stringData", None) or {}).items():
        encoded = base64.b64encode(str(value).encode()).decode()
        secret.setdefault("data", {})[key] = encoded


def _key_errors(obj: JSON) -> Iterator[FieldError]:
    for field in _DATA:
        for key in obj.get(field) or {}:
            if not _KEY.fullmatch(key):
                text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                yield fielderrors.bad_value(f"{field}[{key}]", key, text)


def _change_errors(new: JSON, old: JSON) -> Iterator[FieldError]:
    yield from _key_errors(new)
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        text = "field is immutable when `immutable` is set"
        yield fielderrors.not_allowed("immutable", text)
    for field in _DATA:
        if new.get(field) != old.get(field):
            text = "field is immutable when `immutable` is set"
            yield fielderrors.not_allowed(field, text)


def _secret_change_errors(new: JSON, old: JSON) -> list[FieldError]:
    found = list(_change_errors(new, old))
    if new.get("type") != old.get("type"):
        found.append(fielderrors.immutable("type", new.get("type")))
    return found


CONFIG_MAPS: Final = Strategy(
    check_create=lambda obj: list(_key_errors(obj)),
    check_update=lambda new, old: list(_change_errors(new, old)),
)
SECRETS: Final = Strategy(
    default=_encode_strings,
    check_create=lambda obj: list(_key_errors(obj)),
    check_update=_secret_change_errors,
)
