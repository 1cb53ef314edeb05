"""The port over both seals: which key is asked, and what is said when none fits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from hub.errors import ConfigurationError, SealRefused
from hub.ports import Seal
from hub.schemas.keys import VerificationKey
from hub.seals import HubSeal
from hub.seals.keys import FileKey, verification_key


def refusal(seal: Seal, sealed: bytes, keys: list[VerificationKey], at: datetime) -> str:
    """The code of the refusal, by the kind of seal."""
    with pytest.raises(SealRefused) as caught:
        (seal.verify_xml if sealed.startswith(b"<") else seal.verify_json)(sealed, keys, at)
    return caught.value.stable_code


def test_both_seals_go_there_and_back(
    key: FileKey, other: FileKey, entry: VerificationKey, payload: bytes, document: bytes
) -> None:
    """Sealed with the hub's key, verified with the right one of several keys."""
    seal: Seal = HubSeal(key)
    keys = [verification_key(other), entry]
    now = datetime.now(UTC)
    assert seal.verify_json(seal.seal_json(payload), keys, now) == payload
    assert seal.verify_xml(seal.seal_xml(document), keys, now).startswith(b"<envelope")


def test_keys_that_do_not_fit_are_told_apart(
    key: FileKey, other: FileKey, entry: VerificationKey, token: bytes, sealed: bytes
) -> None:
    """No key at all, another party's key, and a key outside its time each have their code."""
    seal = HubSeal(None)
    now = datetime.now(UTC)
    later = now + timedelta(days=1_000)
    assert refusal(seal, token, [], now) == "seal.kid"
    assert refusal(seal, token, [verification_key(other)], now) == "seal.kid"
    assert refusal(seal, token, [entry], later) == "seal.key_expired"
    assert refusal(seal, sealed, [], now) == "seal.key_expired"
    assert refusal(seal, sealed, [verification_key(other)], now) == "seal.signature"
    assert refusal(seal, sealed, [entry], later) == "seal.key_expired"


def test_without_a_key_it_only_verifies(payload: bytes, document: bytes, key: FileKey) -> None:
    """Sealing without a key is a setting that is missing; text forms show key ids only."""
    seal = HubSeal(None)
    with pytest.raises(ConfigurationError):
        seal.seal_json(payload)
    with pytest.raises(ConfigurationError):
        seal.seal_xml(document)
    assert repr(seal) == "HubSeal(verifies only)"
    assert repr(HubSeal(key)) == f"HubSeal(kid={key.kid!r})"


@pytest.mark.slow
def test_several_threads_share_one_seal(key: FileKey, entry: VerificationKey, payload: bytes, document: bytes) -> None:
    """The port's promise: eight threads seal and verify at once, genuine ones hold, forged ones are refused."""
    seal = HubSeal(key)
    now = datetime.now(UTC)

    def work(number: int) -> tuple[bytes, str]:
        sealed = seal.seal_xml(document)
        assert seal.verify_xml(sealed, [entry], now).startswith(b"<envelope")
        forged = sealed.replace(b"00032106", b"0003210%d" % (number % 6))
        return seal.verify_json(seal.seal_json(payload), [entry], now), refusal(seal, forged, [entry], now)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(64)))
    assert results == [(payload, "seal.digest")] * 64
