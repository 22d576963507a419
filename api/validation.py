"""The shapes of names, labels and versions, with the texts by which Kubernetes refuses others.

Source: k8s.io/apimachinery/pkg/util/validation; semver.org 2.0.0.
"""

import re
from typing import Final

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_PRE: Final = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD: Final = r"[0-9A-Za-z-]+"
_VERSION: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE}(?:\.{_PRE})*)?(?:\+{_BUILD}(?:\.{_BUILD})*)?"
)
LABEL_LENGTH: Final = 63
SUBDOMAIN_LENGTH: Final = 253

_LABEL_TEXT: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_TEXT: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_IDENTIFIER_TEXT: Final = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "
    "alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for "
    "validation is '[A-Za-z_][A-Za-z0-9_]*')"
)
_VERSION_TEXT: Final = "must be a string compatible with semver.org spec 2.0.0"


def label(text: str) -> str | None:
    """Return what is wrong with an RFC 1123 label, as names of containers and namespaces are."""
    if len(text) > LABEL_LENGTH:
        return f"must be no more than {LABEL_LENGTH} characters"
    return None if _LABEL.fullmatch(text) else _LABEL_TEXT


def subdomain(text: str) -> str | None:
    """Return what is wrong with an RFC 1123 subdomain, as most names of objects are."""
    if len(text) > SUBDOMAIN_LENGTH:
        return f"must be no more than {SUBDOMAIN_LENGTH} characters"
    return None if _SUBDOMAIN.fullmatch(text) else _SUBDOMAIN_TEXT


def qualified(text: str) -> str | None:
    """Return what is wrong with a key of labels or annotations, or a finalizer."""
    prefix, slash, name = text.rpartition("/")
    if slash and (wrong := subdomain(prefix)):
        return f"prefix part {wrong}"
    if len(name) > LABEL_LENGTH:
        return f"name part must be no more than {LABEL_LENGTH} characters"
    return None if _QUALIFIED.fullmatch(name) else _QUALIFIED_TEXT


def label_value(text: str) -> str | None:
    """Return what is wrong with the value of a label."""
    if len(text) > LABEL_LENGTH:
        return f"must be no more than {LABEL_LENGTH} characters"
    return None if not text or _QUALIFIED.fullmatch(text) else _VALUE_TEXT


def identifier(text: str) -> str | None:
    """Return what is wrong with a C identifier, whatever its length."""
    return None if _IDENTIFIER.fullmatch(text) else _IDENTIFIER_TEXT


def semantic_version(text: str) -> str | None:
    """Return what is wrong with a semantic version."""
    return None if _VERSION.fullmatch(text) else _VERSION_TEXT
