"""Names of resource.k8s.io: drivers, pools, attributes.

Source: kubernetes pkg/apis/resource/validation/validation.go.
"""

import re
from typing import Any, Final

from devcluster.apiserver import fielderrors, names
from devcluster.apiserver.rules.claims import driver_name_errors
from devcluster.apiserver.rules.entries import Errors, shaped

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IDENTIFIER_TEXT: Final = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "
    "alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for "
    "validation is '[A-Za-z_][A-Za-z0-9_]*')"
)
_MAX_IDENTIFIER: Final = 32
_MAX_POOL: Final = 253

label_errors: Final = shaped(names.label)
subdomain_errors: Final = shaped(names.subdomain)
qualified_errors: Final = shaped(names.qualified)


def pool_name_errors(path: str, name: str | None) -> Errors:
    """Return what is wrong with the name of a pool: subdomains with slashes between them."""
    if not name:
        yield fielderrors.required(path)
        return
    if len(name) > _MAX_POOL:
        yield fielderrors.too_many_bytes(path, _MAX_POOL)
    for part in name.split("/"):
        if wrong := names.subdomain(part):
            yield fielderrors.bad_value(path, part, wrong)


def attribute_name_errors(path: str, name: Any) -> Errors:
    """Return what is wrong with the name of an attribute or capacity: `[domain/]identifier`."""
    *domains, identifier = str(name).split("/")
    if len(domains) > 1:
        return  # a known gap of the real one
    for domain in domains:
        if domain:
            yield from driver_name_errors(path, domain)
        else:
            yield fielderrors.bad_value(path, "", "the domain must not be empty")
    if domains and not identifier:
        yield fielderrors.bad_value(path, "", "the name must not be empty")
        return
    if len(identifier) > _MAX_IDENTIFIER:
        yield fielderrors.too_many_bytes(path, _MAX_IDENTIFIER)
    if not _IDENTIFIER.fullmatch(identifier):
        yield fielderrors.bad_value(path, identifier, _IDENTIFIER_TEXT)


def full_name_errors(path: str, name: Any) -> Errors:
    """Return what is wrong with the name of an attribute that has to have its domain."""
    yield from attribute_name_errors(path, name)
    if "/" not in str(name):
        why = "a fully qualified name must be a domain and a name separated by a slash"
        yield fielderrors.bad_value(path, name, why)
