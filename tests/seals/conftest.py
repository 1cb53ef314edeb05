"""Keys and sealed samples that the tests of seals share. Made once; nothing here is secret."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.schemas import jcs
from hub.schemas.keys import VerificationKey
from hub.seals.jws import seal_json
from hub.seals.keys import FileKey, make_key_file, verification_key
from hub.seals.xades import seal_xml

DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<envelope xmlns="urn:example:appeal" xmlns:e="urn:example:extension" version="1.0">
  <header><sender>00032106</sender><recipient>00013480</recipient></header>
  <body><text>Прошу відремонтувати дорогу &amp; тротуар.
Дякую.</text></body>
  <e:extension/>
</envelope>
"""


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session's key files are."""
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="session")
def key(key_folder: Path) -> FileKey:
    """The genuine signer."""
    return make_key_file(key_folder / "hub.pem", common_name="Хаб", organization="НКЦ", now=datetime.now(UTC))


@pytest.fixture(scope="session")
def other(key_folder: Path) -> FileKey:
    """Somebody else's key."""
    return make_key_file(key_folder / "other.pem", common_name="other", organization="x", now=datetime.now(UTC))


@pytest.fixture(scope="session")
def entry(key: FileKey) -> VerificationKey:
    """The genuine signer as the registry knows it."""
    return verification_key(key)


@pytest.fixture(scope="session")
def payload() -> bytes:
    """Canonical bytes of something like an envelope."""
    return jcs.canonical_bytes({"kind": "appeal", "body": {"text": "Прошу відремонтувати дорогу", "n": 1}})


@pytest.fixture(scope="session")
def token(payload: bytes, key: FileKey) -> bytes:
    """The payload, sealed."""
    return seal_json(payload, key)


@pytest.fixture(scope="session")
def document() -> bytes:
    """An XML document like an envelope."""
    return DOCUMENT.encode()


@pytest.fixture(scope="session")
def sealed(document: bytes, key: FileKey) -> bytes:
    """The document, sealed."""
    return seal_xml(document, key)
