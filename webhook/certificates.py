"""Certificates: made, and checked before a server uses them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from webhook.errors import UnusableCertificate

SKEW: Final = timedelta(hours=1)
"""How much the clock of an API server may be behind ours."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What a server proves with who it is, as PEM.

    Attributes:
        certificate: with those that lead to its authority, if there are some.
        key: private, of the first of them.
        authority: certificate of who signed it, for clients to trust; empty if they know it.
    """

    certificate: str
    key: str = field(repr=False)
    authority: str = ""


def make(names: Sequence[str], now: datetime, lifetime: timedelta) -> Pair:
    """Make an authority, and a certificate of it for a server of these DNS names.

    The authority's key is kept nowhere: what nobody has nobody can steal, and a new certificate
    gets a new authority.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    # each has a name of its own, so that a client with two of them does not take one for the other
    issuer = _name(f"fake-dra-webhook CA {x509.random_serial_number():x}")
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _unsigned(issuer, issuer, authority_key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(identifier, critical=False)
    )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _unsigned(_name("fake-dra-webhook"), issuer, key, now, lifetime)
        .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_issued_by(identifier), critical=False)
    )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(
        _signed(certificate, authority_key), plain.decode(), _signed(authority, authority_key)
    )


def over(pair: Pair) -> datetime:
    """Return when a pair is not good any more.

    Raises:
        UnusableCertificate: certificate and key cannot be read, or are of different pairs.
    """
    certificate = _certificate(pair.certificate)
    try:
        key = load_pem_private_key(pair.key.encode(), None).public_key()
    except (ValueError, TypeError) as error:
        raise UnusableCertificate(f"the private key cannot be read: {error}") from error
    plain = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_bytes(*plain) != certificate.public_key().public_bytes(*plain):
        raise UnusableCertificate("certificate and private key do not belong together")
    return certificate.not_valid_after_utc


def first(authorities: str, most: int) -> str:
    """Return the first of some certificates, all as PEM; none of what cannot be read."""
    try:
        found = x509.load_pem_x509_certificates(authorities.encode())
    except ValueError:
        return ""
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found[:most])


def is_good(pair: Pair, now: datetime) -> bool:
    """Tell whether the time of a pair has come, and is not over.

    Raises:
        UnusableCertificate: certificate and key cannot be read, or are of different pairs.
    """
    return _certificate(pair.certificate).not_valid_before_utc <= now < over(pair)


def proves(pair: Pair, names: Sequence[str]) -> bool:
    """Tell whether a pair is for a server of all these names, and was signed by its authority.

    Raises:
        UnusableCertificate: a certificate cannot be read.
    """
    certificate = _certificate(pair.certificate)
    try:
        certificate.verify_directly_issued_by(_certificate(pair.authority))
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return set(names) <= set(found.value.get_values_for_type(x509.DNSName))


def _certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise UnusableCertificate(f"the certificate cannot be read: {error}") from error


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=(now - SKEW).replace(tzinfo=None),
        not_valid_after=(now + lifetime).replace(tzinfo=None),
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _issued_by(identifier: x509.SubjectKeyIdentifier) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _signed(certificate: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> str:
    return certificate.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
