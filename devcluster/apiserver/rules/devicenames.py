"""Names of resource.k8s.io: drivers, pools, attributes.

Source: kubernetes pkg/apis/resource/validation/validation.go.
"""

from typing import Any, Final

from api import validation
from api.limits import MAX_IDENTIFIER, MAX_POOL_NAME
from devcluster.apiserver import fielderrors
from devcluster.apiserver.rules.claims import driver_name_errors
from devcluster.apiserver.rules.entries import Errors, shaped

label_errors: Final = shaped(validation.label)
subdomain_errors: Final = shaped(validation.subdomain)
qualified_errors: Final = shaped(validation.qualified)


def pool_name_errors(path: str, name: str | None) -> Errors:
    """Return what is wrong with the name of a pool: subdomains with slashes between them."""
    if not name:
        yield fielderrors.required(path)
        return
    if len(name) > MAX_POOL_NAME:
        yield fielderrors.too_many_bytes(path, MAX_POOL_NAME)
    for part in name.split("/"):
        if wrong := validation.subdomain(part):
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
    if len(identifier) > MAX_IDENTIFIER:
        yield fielderrors.too_many_bytes(path, MAX_IDENTIFIER)
    if wrong := validation.identifier(identifier):
        yield fielderrors.bad_value(path, identifier, wrong)


def full_name_errors(path: str, name: Any) -> Errors:
    """Return what is wrong with the name of an attribute that has to have its domain."""
    yield from attribute_name_errors(path, name)
    if "/" not in str(name):
        why = "a fully qualified name must be a domain and a name separated by a slash"
        yield fielderrors.bad_value(path, name, why)
