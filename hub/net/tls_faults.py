"""Words for what goes wrong with TLS: which of the two sides has to be mended, and what."""

from __future__ import annotations

import ssl
from typing import Final, TypeVar

from hub.errors import DeliveryError, TemporaryFailure

Failure = TypeVar("Failure", bound=DeliveryError)

_EXPIRED: Final = 10
_NOT_YET: Final = 9
_REVOKED: Final = 23
_NO_LIST: Final = 3
_OTHER_NAME: Final = (62, 64)
_UNKNOWN_ISSUER: Final = (2, 18, 19, 20, 21)
"""Verification results of OpenSSL (``X509_V_ERR_…``)."""
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_CERTIFICATE_WORDS: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")


def certificate_fault(error: ssl.SSLCertVerificationError, host: str, where: str, code: str) -> TemporaryFailure:
    """The failure over a certificate of ``host`` that does not hold; it names the cause."""
    why, action = _certificate(error, host)
    return TemporaryFailure(f"The certificate of {where} {why}.", code=code, action=action)


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    if error.verify_code in _OTHER_NAME:
        return (
            f"is not for the name {host}",
            "Write the host as the certificate has it, or ask for a certificate with this name.",
        )
    if error.verify_code in _UNKNOWN_ISSUER:
        return (
            f"is signed by nobody whom the channel trusts ({error.verify_message})",
            "Get the certificate of their issuer by a safe way and name its file in ca_file; if their issuer is a "
            "public one, their server must send the certificates in between.",
        )
    if error.verify_code == _EXPIRED:
        return "has expired", "Ask those who keep their system to renew it, and look at this machine's clock."
    if error.verify_code == _NOT_YET:
        return "is not valid yet", "Look at this machine's clock; ask them when it begins."
    if error.verify_code == _REVOKED:
        return "is revoked", "Ask those who keep their system for a new one, and why the old one was revoked."
    if error.verify_code == _NO_LIST:
        return "cannot be looked up in crl_file", "Put the list of revoked certificates of its issuer into crl_file."
    return (
        f"does not hold ({error.verify_message})",
        "Mend the certificate on their side, or ca_file and the host on ours.",
    )


def handshake_fault(error: OSError, where: str, code: str, *, plain: str) -> TemporaryFailure:
    """The failure of a handshake that broke off. ``plain``: next step where the other side speaks no TLS."""
    reason = getattr(error, "reason", None) or ""
    if reason in _NOT_TLS:
        return TemporaryFailure(f"{where} does not speak TLS ({reason}).", code=code, remedy=plain)
    if is_about_ours(error):
        return client_certificate_fault(error, where, code, TemporaryFailure)
    return TemporaryFailure(
        f"The TLS handshake with {where} broke off ({reason or type(error).__name__}).",
        code=code,
        remedy="Look whether this port speaks TLS 1.2 or later; if they want a client certificate, name it in the "
        "channel.",
    )


def is_about_ours(error: Exception) -> bool:
    """True if they ended TLS over the certificate that we showed, or did not show."""
    reason = getattr(error, "reason", None) or ""
    alert = isinstance(error, ssl.SSLError) and "ALERT" in reason
    return alert and any(word in reason for word in _CERTIFICATE_WORDS)


def client_certificate_fault(error: Exception, where: str, code: str, kind: type[Failure]) -> Failure:
    """The failure of what ``is_about_ours``."""
    reason = getattr(error, "reason", None)
    return kind(
        f"{where} does not take the client certificate, or wants one ({reason}).",
        code=code,
        action="Name the certificate that they know in client_cert; ask them whether it is let in.",
    )
