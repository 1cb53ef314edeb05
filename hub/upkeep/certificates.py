"""Ends of certificates and revocation lists in a file, PEM or DER. Pure; the bytes are anybody's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

MAX_BYTES: Final = 4_194_304
MOST_TOLD: Final = 10
"""Certificates of one file that are told one by one; a larger bundle is one entry, which ends with its last."""
_BLOCK: Final = re.compile(rb"-----BEGIN (CERTIFICATE|X509 CRL)-----.+?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """End of one thing. ``crl``: a revocation list, which ends at its next update; ``ends``: none if it names none."""

    crl: bool
    ends: datetime | None


def endings(data: bytes) -> tuple[Ending, ...]:
    """Everything in a file that has an end, in order. ``ValueError`` for a PEM block that holds none of what it says.

    A file without certificates and lists has none.
    """
    blocks = list(_BLOCK.finditer(data))
    found = tuple(_pem(match[1], match[0]) for match in blocks) if blocks else tuple(_der(data))
    if len(found) <= MOST_TOLD:
        return found
    ends = [ending.ends for ending in found if ending.ends is not None]
    return (Ending(crl=all(ending.crl for ending in found), ends=max(ends, default=None)),)


def _pem(kind: bytes, block: bytes) -> Ending:
    if kind == b"CERTIFICATE":
        return Ending(crl=False, ends=x509.load_pem_x509_certificate(block).not_valid_after_utc)
    return Ending(crl=True, ends=x509.load_pem_x509_crl(block).next_update_utc)


def _der(data: bytes) -> Iterator[Ending]:
    if data[:1] != b"\x30":
        return
    try:
        yield Ending(crl=False, ends=x509.load_der_x509_certificate(data).not_valid_after_utc)
    except ValueError:
        try:
            yield Ending(crl=True, ends=x509.load_der_x509_crl(data).next_update_utc)
        except ValueError:
            return
