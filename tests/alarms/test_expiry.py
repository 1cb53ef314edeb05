"""The list of everything that ends: found in settings of any shape, read from files, what cannot be read first."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pydantic import BaseModel

from hub import adapters
from hub.api import auth
from hub.bootstrap_upkeep import API_KEYS, expiry_list
from hub.cli.init import make_home
from hub.schemas.base import format_datetime
from hub.settings import Settings
from hub.upkeep.alarm_file import AlarmFile
from hub.upkeep.certificates import MOST_TOLD, endings
from hub.upkeep.expiry import ExpiryEntry, ExpiryKind
from hub.upkeep.naming import Form, NamedValue, named
from registry import FixedRegistry, load

NOW = datetime.now(UTC).replace(microsecond=0)
AUTHORITY = "00032106"


def _certificate(days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=days, hours=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def _crl(days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(NOW - timedelta(days=9))
    return (
        builder.next_update(NOW + timedelta(days=days, hours=1)).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    )


def _put(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


Lists = Callable[..., dict[str, ExpiryEntry]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home as `hub init` makes it."""
    home = tmp_path / "home"
    make_home(Settings(home=home))
    return home


@pytest.fixture
def listed(home: Path) -> Lists:
    """Puts one channel into the registry and lists what ends, by label."""

    def make(adapter: str | None = None, settings: dict[str, Any] | None = None, **more: Any) -> dict[str, ExpiryEntry]:
        if adapter is not None:
            channel = {"id": f"{AUTHORITY}.x", "adapter": adapter, "settings": settings, **more}
            document = {"channels": [{"authority": AUTHORITY, "channel": channel}]}
            (home / "registry" / "bank.yaml").write_text(json.dumps(document))
        table = adapters.table()
        directory = FixedRegistry(load(home / "registry", table))
        made = expiry_list(Settings(home=home), directory, table, AlarmFile(home / "alarms.yaml"))
        return {entry.label: entry for entry in made.entries()}

    return make


def test_the_file_of_keys_is_the_same_for_both() -> None:
    """The list reads the file that `hub keys` writes."""
    assert API_KEYS == auth.KEY_FILE


def test_a_fresh_home_has_its_seal_and_its_api_keys(listed: Lists) -> None:
    """The seal ends in two years; the first API keys have no end."""
    found = listed()
    seal = found["seal the hub's own"]
    assert 700 < (seal.days(NOW) or 0) < 731
    keys = [entry for entry in found.values() if entry.kind is ExpiryKind.API_KEY]
    assert keys
    assert {entry.ends for entry in keys} == {None}


def test_certificates_and_lists_of_a_channel_are_found(home: Path, tmp_path: Path, listed: Lists) -> None:
    """Client certificate, authorities, revocation list, secrets: each with the field that names it."""
    client = _put(tmp_path / "client.pem", _certificate(5))
    key = _put(tmp_path / "client.key", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")
    trusted = _put(tmp_path / "ca.pem", _certificate(40) + _certificate(-1))
    crl = _put(tmp_path / "list.crl", _crl(2))
    found = listed(
        "rest",
        {
            "url": "https://edms.example.gov.ua/a",
            "auth": {"type": "bearer", "token": "env:EDMS_TOKEN"},
            "client_cert": {"cert": f"file:{client}", "key": f"file:{key}"},
            "ca_file": str(trusted),
            "crl_file": str(crl),
        },
    )
    days = {label: entry.days(NOW) for label, entry in found.items() if f"{AUTHORITY}.x" in label}
    assert days == {
        f"certificate {AUTHORITY}.x client_cert.cert": 5,
        f"secret {AUTHORITY}.x client_cert.key": None,
        f"certificate {AUTHORITY}.x ca_file": 40,
        f"certificate {AUTHORITY}.x ca_file no. 2": -1,
        f"crl {AUTHORITY}.x crl_file": 2,
        f"secret {AUTHORITY}.x auth.token": None,
    }
    assert found[f"secret {AUTHORITY}.x client_cert.key"].changed_at is not None
    assert found[f"secret {AUTHORITY}.x auth.token"].changed_at is None
    order = list(found)
    assert order.index(f"certificate {AUTHORITY}.x ca_file no. 2") < order.index(f"crl {AUTHORITY}.x crl_file")


def test_what_cannot_be_read_stands_first(tmp_path: Path, listed: Lists) -> None:
    """Missing, open to everybody, cut off, empty of what its name promises: named with a code, before all others."""
    broken = _put(tmp_path / "broken.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    opened = _put(tmp_path / "open.pem", _certificate(5), 0o644)
    nothing = _put(tmp_path / "nothing.crl", b"\n")
    found = listed(
        "rest",
        {
            "url": "https://edms.example.gov.ua/a",
            "client_cert": {"cert": f"file:{opened}", "key": f"file:{tmp_path}/absent.key"},
            "ca_file": str(broken),
            "crl_file": str(nothing),
        },
    )
    faults = {entry.name.partition(" ")[2]: entry.fault for entry in list(found.values())[:4]}
    assert faults == {
        "client_cert.cert": "configuration.secret_open",
        "client_cert.key": "configuration.wrong",
        "ca_file": "expiry.broken",
        "crl_file": "expiry.holds_nothing",
    }
    assert not any(entry.fault for entry in list(found.values())[4:])


def test_pinned_keys_are_listed_without_an_end(tmp_path: Path, listed: Lists) -> None:
    """Each host key of a server with a print of it; the key file with its age; remote folders are no files."""
    key = _put(tmp_path / "id", b"-----BEGIN OPENSSH PRIVATE KEY-----\n")
    host_keys = [_host_key(), _host_key()]
    where = {"host": "sftp.example.org", "user": "hub", "inbox": "/etc", "outbox": "/etc/ssl"}
    found = listed("sftp", {**where, "host_keys": host_keys, "key": f"file:{key}"}, dialect="drop")
    named_ = {label: entry for label, entry in found.items() if f"{AUTHORITY}.x" in label}
    assert set(named_) == {
        f"host_key {AUTHORITY}.x host_keys#1",
        f"host_key {AUTHORITY}.x host_keys#2",
        f"secret {AUTHORITY}.x key",
    }
    assert {entry.ends for entry in named_.values()} == {None}


def _host_key() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import PublicFormat

    made = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return made.decode()


def test_keys_that_another_outlives_are_succeeded(home: Path, listed: Lists) -> None:
    """An API key and a verification key with a later one beside it alarm nobody; the last one does."""
    file = home / API_KEYS
    for days in (-3, 20):
        _, entry = auth.new_api_key("authority", "00099999", valid_to=NOW + timedelta(days=days))
        auth.append_key(file, entry)
    found = [e for e in listed().values() if "00099999" in e.name]
    assert [(entry.days(NOW), entry.succeeded, entry.has_ended(NOW)) for entry in found] == [
        (-3, True, False),
        (20, False, False),
    ]


def test_an_api_key_that_ended_with_nobody_after_it_is_told(home: Path, listed: Lists) -> None:
    """Whoever used it is locked out; a file with members of a later version is read all the same."""
    file = home / API_KEYS
    known = yaml.safe_load(file.read_text())
    entry = {"id": "a" * 12, "role": "auditor", "party": "00099999", "sha256": "0" * 64, "person": "somebody"}
    known["keys"].append({**entry, "valid_to": format_datetime(NOW - timedelta(days=1))})
    file.write_text(yaml.safe_dump(known))
    (found,) = [e for e in listed().values() if "00099999" in e.name]
    assert (found.has_ended(NOW), found.fault) == (True, "")
    file.write_text("keys: [")
    (broken, *_) = listed().values()
    assert (broken.kind, broken.fault) == (ExpiryKind.API_KEY, "key.file")


class _Foreign(BaseModel):
    """Settings as a package of others may write them."""

    trust: str
    inner: dict[str, list[str]]
    where: Path | None = None


def test_settings_of_others_are_gone_through_too(tmp_path: Path) -> None:
    """A plain text that names a file counts if the file holds something with an end."""
    model = _Foreign(trust="/a", inner={"more": ["/b", "no path"]}, where=Path("/c"))
    assert list(named("x", model)) == [
        NamedValue(name="x trust", form=Form.TEXT, value="/a"),
        NamedValue(name="x inner.more#1", form=Form.TEXT, value="/b"),
        NamedValue(name="x where", form=Form.TEXT, value="/c"),
    ]


def test_large_bundles_are_one_entry_and_der_is_read() -> None:
    """Of a system's bundle the last end counts; DER and PEM say the same; other bytes hold nothing."""
    one, late = _certificate(3), _certificate(300)
    (bundle,) = endings(one * MOST_TOLD + late)
    assert bundle.ends == endings(late)[0].ends
    der = x509.load_pem_x509_certificate(one).public_bytes(Encoding.DER)
    assert endings(der) == endings(one)
    assert endings(x509.load_pem_x509_crl(_crl(3)).public_bytes(Encoding.DER))[0].crl
    assert endings(b"") == endings(b"0\x82nonsense") == endings(b"plain text") == ()
