"""ECDSA signature values wherever they are verified: exactly r‖s in XML and JWS, strict DER in CMS; Wycheproof's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from hub.adapters.email import smime
from hub.errors import SealRefused
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.seals.public import ecdsa_der, load_public, verify_signature
from hub.seals.xades import verify_xml
from hub.seals.xml_rules import DS
from tests.protocols.test_soap_security import EC, verify_with_value

SIZES: dict[str, Callable[[bytes], bytes]] = {
    "padded halves": lambda value: bytes(1) + value[:32] + bytes(1) + value[32:],
    "halves of 66 bytes": lambda value: bytes(34) + value[:32] + bytes(34) + value[32:],
    "a byte behind": lambda value: value + bytes(1),
    "a byte before": lambda value: bytes(1) + value,
    "a byte less": lambda value: value[:-1],
    "one half": lambda value: value[:32],
    "nothing but zeros": lambda value: bytes(len(value)),
    "r is zero": lambda value: bytes(32) + value[32:],
    "twice": lambda value: value + value,
    "DER": lambda value: ecdsa_der(value, EC.certificate.public_key()),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("size", SIZES)
def test_values_of_another_size_are_refused_in_xml(size: str, sealed: bytes, entry: VerificationKey) -> None:
    """The same numbers in another length, or DER, are no signature: in an XML seal and in WS-Security (XML Signature
    1.1 section 6.4.3)."""
    root = etree.fromstring(sealed)
    value = root.find(f".//{DS}SignatureValue")
    assert value is not None
    value.text = base64.b64encode(SIZES[size](base64.b64decode(value.text or ""))).decode()
    with pytest.raises(SealRefused) as caught:
        verify_xml(etree.tostring(root), entry)
    assert caught.value.stable_code == "seal.signature"
    with pytest.raises(SealRefused) as caught:
        verify_with_value(SIZES[size])
    assert caught.value.stable_code == "wsse.signature"


def wycheproof(folder: Path) -> Iterator[tuple[VerificationKey, bytes, bytes, bool]]:
    """Key, message, DER signature, and whether it is valid."""
    path = folder / "wycheproof" / "testvectors_v1" / "ecdsa_secp256r1_sha256_test.json"
    groups: list[dict[str, Any]] = json.loads(path.read_text())["testGroups"]
    for group in groups:
        entry = VerificationKey(
            kid="k",
            algorithm=SealAlgorithm.ES256,
            pem=group["publicKeyPem"],
            valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        )
        for case in group["tests"]:
            yield entry, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]), case["result"] == "valid"


@pytest.mark.vectors("wycheproof")
def test_wycheproofs_values_as_xml_has_them(vectors: Path) -> None:
    """Of every genuine value only r‖s of 64 bytes verifies: not in its shortest form, not padded, not with bytes more;
    of the 310 invalid ones, where numbers can be read at all, none in any form."""
    now, genuine, forms = datetime.now(UTC), 0, 0
    for entry, message, der, valid in wycheproof(vectors):
        public = load_public(entry, at=now)
        assert isinstance(public.key, ec.EllipticCurvePublicKey)
        numbers = None
        with suppress(ValueError):  # not DER: there are no numbers to write in another form
            numbers = decode_dss_signature(der)
        if numbers is None or min(numbers) < 0:
            continue
        r, s = numbers
        least = (max(r.bit_length(), s.bit_length()) + 7) // 8
        for size in {least, 31, 32, 33, 40, 48, 66} - set(range(least)):
            value = r.to_bytes(size, "big") + s.to_bytes(size, "big")
            good = valid and size == 32
            forms += 1
            genuine += good
            for given, right in ((value, good), (value + bytes(1), False), (value[1:], False)):
                try:
                    verify_signature(public, message, given)
                except SealRefused:
                    assert not right
                else:
                    assert right
    assert genuine == 174
    assert forms > 1_000


@pytest.mark.vectors("wycheproof")
def test_wycheproofs_values_as_cms_has_them(vectors: Path) -> None:
    """Each of the 484 DER values gets Wycheproof's verdict in an S/MIME signature, and no other error."""
    now, verdicts = datetime.now(UTC), 0
    for entry, message, der, valid in wycheproof(vectors):
        opened = smime.Opened(
            content=None,
            digest_name="sha256",
            signed_attributes=message,
            message_digest=b"",
            algorithm="sha256_ecdsa",
            signature=der,
            certificates=(),
        )
        assert smime._made_by(entry, opened, now) is valid
        verdicts += 1
    assert verdicts == 484


def test_sizes_of_other_curves() -> None:
    """P-521's halves are 66 bytes, for its order has 521 bits."""
    private = ec.generate_private_key(ec.SECP521R1())
    r, s = decode_dss_signature(private.sign(b"x", ec.ECDSA(hashes.SHA256())))
    public = private.public_key()
    public.verify(ecdsa_der(r.to_bytes(66, "big") + s.to_bytes(66, "big"), public), b"x", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        ecdsa_der(r.to_bytes(67, "big") + s.to_bytes(67, "big"), public)
