"""Signed XML of others. None of it has the hub's one shape, so all of it is refused, each file for a pinned reason.

That these refusals are not for weak keys alone is shown elsewhere: ``test_xades_wrapping`` and ``test_xades_attacks``
make the same attacks over documents whose digests and signatures are right under a key that is trusted.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.errors import InvalidInput, SealRefused
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.seals.xades import verify_xml

# Relative namespace names (README: canonicalisation fails in libxml2) are refused while reading.
CRYPTO = {
    "hmac_signature.xml": "seal.structure",
    "id_with_quotes.xml": "seal.structure",
    "integration/expectedVerify.xml": "xml.namespace",
    "integration/expectedVerifyComplex.xml": "seal.ids",
    "invalid_saml_no_signed_info.xml": "seal.structure",
    "invalid_saml_sha256_rsa_mgf1.xml": "seal.structure",
    "invalid_signature - changed content.xml": "xml.namespace",
    "invalid_signature - hash.xml": "xml.namespace",
    "invalid_signature - non existing reference.xml": "xml.namespace",
    "invalid_signature - signature value.xml": "xml.namespace",
    "invalid_signature - wsu - changed content.xml": "xml.namespace",
    "invalid_signature - wsu - hash.xml": "xml.namespace",
    "invalid_signature - wsu - invalid signature value.xml": "xml.namespace",
    "invalid_signature - wsu - non existing reference.xml": "xml.namespace",
    "invalid_signature_without_transforms_element.xml": "seal.structure",
    "keyinfo - pretty-printed.xml": "seal.structure",
    "saml_external_ns.xml": "seal.structure",
    "saml_multiple_signed_info_nodes.xml": "seal.structure",
    "saml_wrapped_signed_info_node.xml": "seal.structure",
    "signature_with_inclusivenamespaces.xml": "seal.structure",
    "signature_with_inclusivenamespaces_lines.xml": "seal.structure",
    "signature_with_inclusivenamespaces_lines_windows.xml": "seal.structure",
    "unsigned_saml_response.xml": "seal.missing",
    "valid_saml.xml": "seal.structure",
    "valid_saml_sha256_rsa_mgf1.xml": "seal.structure",
    "valid_saml_signature_wrapping.xml": "seal.structure",
    "valid_saml_with_digest_comment.xml": "xml.comment",
    "valid_saml_withcomments.xml": "seal.structure",
    "valid_signature wsu.xml": "xml.namespace",
    "valid_signature.xml": "xml.namespace",
    "valid_signature_utf8.xml": "seal.structure",
    "valid_signature_with_lowercase_id_attribute.xml": "xml.namespace",
    "valid_signature_with_reference_keyInfo.xml": "xml.namespace",
    "valid_signature_with_root_level_sig_namespace.xml": "xml.namespace",
    "valid_signature_with_unused_prefixes.xml": "seal.structure",
    "valid_signature_with_whitespace_in_digestvalue.xml": "xml.namespace",
    "valid_signature_without_transforms_element.xml": "seal.structure",
    "windows_store_signature.xml": "seal.ids",
    "wsfederation_metadata.xml": "seal.structure",
}

# The files that the README names; of the others it is only asked that they are refused by name.
SAML = {
    "responses/signed_message_response.xml.base64": "seal.structure",
    "responses/signed_assertion_response.xml.base64": "seal.structure",
    "responses/valid_response.xml.base64": "seal.structure",
    "responses/double_signed_response.xml.base64": "seal.structure",
    "responses/invalids/signature_wrapping_attack.xml.base64": "seal.structure",
    "responses/invalids/signature_wrapping_attack2.xml.base64": "seal.structure",
    "responses/invalids/bad_reference.xml.base64": "seal.structure",
    "responses/wrapped_response_2.xml.base64": "seal.structure",
    "responses/invalids/multiple_assertions.xml.base64": "seal.structure",
    "responses/response_node_text_attack.xml.base64": "xml.comment",
    "responses/invalids/no_key.xml.base64": "seal.structure",
    "responses/invalids/no_signature.xml.base64": "seal.missing",
    "responses/unsigned_response.xml.base64": "seal.missing",
    "responses/unsigned_assertion.xml.base64": "xml.syntax",
}


def refusals(document: bytes, vectors: Path) -> set[str]:
    """Codes of the refusal, whatever the algorithm of the registry's entry."""
    found = set()
    pem = (vectors / "xml-crypto-static" / "static" / "client_public.pem").read_text().strip()
    for algorithm in SealAlgorithm:
        entry = VerificationKey(kid="k", algorithm=algorithm, pem=pem, valid_from=datetime(2000, 1, 1, tzinfo=UTC))
        try:
            verify_xml(document, entry)
        except SealRefused as error:
            found.add(error.stable_code)
        except InvalidInput as error:
            found.update(fault.code for fault in error.faults)
        else:
            found.add("taken")
    return found


@pytest.mark.vectors("xml-crypto-static")
@pytest.mark.parametrize(("name", "code"), CRYPTO.items())
def test_xml_crypto_files_are_refused(vectors: Path, name: str, code: str) -> None:
    """Each file is refused for its pinned reason, before any algorithm or key is looked at."""
    assert refusals((vectors / "xml-crypto-static" / "static" / name).read_bytes(), vectors) == {code}


@pytest.mark.vectors("xml-crypto-static")
def test_every_xml_crypto_file_is_pinned(vectors: Path) -> None:
    """None is forgotten."""
    folder = vectors / "xml-crypto-static" / "static"
    assert {str(file.relative_to(folder)) for file in folder.rglob("*.xml")} == set(CRYPTO)


@pytest.mark.vectors("saml-python3-saml")
@pytest.mark.parametrize(("name", "code"), SAML.items())
def test_saml_files_are_refused(vectors: Path, name: str, code: str) -> None:
    """Good, wrapped, cut by comments or unsigned: each refused for its pinned reason."""
    data = base64.b64decode((vectors / "saml-python3-saml" / name).read_bytes())
    assert refusals(data, vectors) == {code}


@pytest.mark.vectors("saml-python3-saml")
def test_no_saml_file_is_taken_or_ends_in_a_foreign_exception(vectors: Path) -> None:
    """All files of the folder, decoded and as they are, are refused by our own errors."""
    files = [file for file in sorted((vectors / "saml-python3-saml").rglob("*")) if file.is_file()]
    assert len(files) == 105
    for file in files:
        data = file.read_bytes()
        try:
            decoded = base64.b64decode(data, validate=False)
        except binascii.Error:
            decoded = b""
        for document in (data, decoded):
            assert "taken" not in refusals(document, vectors), file.name
