"""``hub evidence``: all that happened to one case, in a zip that others can check."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509

from hub.bootstrap import KEY_FILE, build, exporter
from hub.cli.auditing import audited
from hub.cli.finding import CaseReference, find_case
from hub.cli.output import emit, home_option, json_option
from hub.errors import ConfigurationError
from hub.evidence import check
from hub.schemas.keys import VerificationKey
from hub.seals import HubSeal
from hub.seals.keys import certificate_path, key_id
from hub.settings import load

_A_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("evidence")
def evidence_group() -> None:
    """Evidence of cases: export it, verify it."""


@evidence_group.command("export")
@click.argument("said", metavar="CASE", type=CaseReference())
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write [evidence-CASE.zip].")
@click.option("--no-attachments", is_flag=True, help="Leave the files out; their SHA-256 stand in the envelopes.")
@home_option
@json_option
def export(said: uuid.UUID | str, out: Path | None, no_attachments: bool, home: str | None, as_json: bool) -> None:
    """Write everything about one case into a zip: README.md in it says how to check it. CASE: its number, its id, or
    the id of one of its messages.

    The file holds personal data and is written so that only you can read it. Nothing that exists is overwritten.
    """
    hub = build(load(home=home))
    try:
        case_id = find_case(hub.store, said).case.id
        audited(hub, "hub evidence export", case_id)
        path = out or Path(f"evidence-{case_id}.zip")
        with _new_file(path) as descriptor, os.fdopen(descriptor, "w+b") as file:
            done = exporter(hub).export(case_id, file, with_attachments=not no_attachments)
    finally:
        hub.close()
    left_out = f", {done.left_out} attachments left out" if done.left_out else ""
    lines = [f"{path}: {done.files} files, {done.seals} seals{left_out}", f"SHA-256 {done.sha256}"]
    emit({"file": path, **asdict(done)}, as_json=as_json, lines=lines)


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[int]:
    """A new file that only its owner can read; removed again if writing fails."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}.", action="Choose another --out."
        ) from None
    try:
        yield descriptor
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@evidence_group.command("verify")
@click.argument("file", type=_A_FILE)
@click.option("--cert", type=_A_FILE, help="Certificate of the hub that made it [this hub's].")
@home_option
@json_option
def verify(file: Path, cert: Path | None, home: str | None, as_json: bool) -> None:
    """Check a bundle: the manifest by the hub's certificate, then every sum, attempt and seal.

    Exit code 1 if something does not hold.
    """
    certificate = cert or certificate_path(load(home=home).home / KEY_FILE)
    with file.open("rb") as source:
        report = check(source, seal=HubSeal(None), trusted=[_trusted(certificate)])
    wrong = [each for each in report.checks if each.code is not None]
    document = {
        "holds": report.holds,
        "case_id": report.case_id,
        "made_by": report.made_by,
        "made_at": report.made_at,
        "checks": len(report.checks),
        "wrong": [asdict(each) for each in wrong],
    }
    verdict = f"Everything holds: {len(report.checks)} checks, case {report.case_id}, made by {report.made_by}."
    lines = [f"{each.code}: {each.what}" for each in wrong] or [verdict]
    emit(document, as_json=as_json, lines=lines)
    if not report.holds:
        sys.exit(1)


def _trusted(path: Path) -> VerificationKey:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        raise ConfigurationError(
            f"{path} is no certificate.", action="Give the certificate of the hub that made the bundle with --cert."
        ) from None
    return VerificationKey(
        kid=key_id(certificate), pem=path.read_text("ascii"), valid_from=datetime(1970, 1, 1, tzinfo=UTC)
    )
