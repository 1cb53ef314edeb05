"""``hub seal`` and ``hub verify``: both seals from the command line."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

import registry
from hub import adapters
from hub.cli.output import emit, json_option
from hub.errors import SealRefused
from hub.ports import RawInbound, Rendering
from hub.schemas import json_rendering, xml_rendering
from hub.schemas.envelope import AnyEnvelope
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.sealed import CONTENT_TYPES, open_envelope, seal_envelope
from hub.seals import HubSeal, load_signing_key
from hub.settings import load

MAX_BYTES = 10_485_760


def _read(source: BinaryIO) -> bytes:
    data = source.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise click.UsageError("The input is larger than 10 MiB.")
    return data


def _envelope(data: bytes) -> AnyEnvelope:
    return xml_rendering.from_xml(data) if data.lstrip()[:1] == b"<" else json_rendering.from_json(data)


@click.command()
@click.argument("source", type=click.File("rb"), default="-")
@click.option("--key", "key_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--form", type=click.Choice([r.value for r in CONTENT_TYPES]), default="json", show_default=True)
def seal(source: BinaryIO, key_file: Path, form: str) -> None:
    """Seal an envelope (JSON or XML, file or standard input) with a key file; sealed bytes go to standard output."""
    envelope = _envelope(_read(source))
    canonical = json_rendering.to_json(envelope)
    sealed = seal_envelope(envelope, canonical, Rendering(form), HubSeal(load_signing_key(key_file)))
    sys.stdout.buffer.write(sealed)
    sys.stdout.buffer.flush()


def _content_type(data: bytes) -> str:
    head = data.lstrip()[:1]
    rendering = Rendering.XML if head == b"<" else Rendering.JSON if head == b"{" else Rendering.JWS
    return CONTENT_TYPES[rendering]


def _keys(
    registry_folder: Path | None, party: str | None, cert: Path | None, kid: str | None
) -> tuple[VerificationKey, ...]:
    if cert is not None:
        if kid is None:
            raise click.UsageError("--cert needs --kid.")
        long_ago = datetime(1970, 1, 1, tzinfo=UTC)
        pem = cert.read_text("ascii")
        return (VerificationKey(kid=kid, algorithm=SealAlgorithm.ES256, pem=pem, valid_from=long_ago),)
    if party is None:
        raise click.UsageError("Give --party, or --cert with --kid.")
    folder = registry_folder or load().registry_folder
    return registry.load(folder, adapters.table()).keys(party)


@click.command()
@click.argument("source", type=click.File("rb"), default="-")
@click.option("--party", help="Code of the body whose key must have made the seal.")
@click.option("--registry", "registry_folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--cert", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Pinned certificate or key.")
@click.option("--kid", help="Key id that goes with --cert.")
@json_option
def verify(
    source: BinaryIO, party: str | None, registry_folder: Path | None, cert: Path | None, kid: str | None, as_json: bool
) -> None:
    """Verify a sealed envelope with a key of the registry, or a pinned one. Exit code 1 if the seal does not hold."""
    data = _read(source)
    keys = _keys(registry_folder, party, cert, kid)
    envelope, _ = open_envelope(
        RawInbound(content_type=_content_type(data), body=data),
        seal=HubSeal(None),
        keys=keys,
        at=datetime.now(UTC),
        seal_required=True,
    )
    if party is not None and envelope.header.sender.code != party:
        raise SealRefused("The seal holds, but the envelope names another sender.", code="seal.party")
    digest = json_rendering.digest(envelope)
    document = {
        "holds": True,
        "kind": envelope.kind,
        "message_id": envelope.header.message_id,
        "sender": envelope.header.sender.code,
        "jcs_sha256": digest,
    }
    lines = [f"The seal holds: {envelope.kind} {envelope.header.message_id} by {envelope.header.sender.code}.", digest]
    emit(document, as_json=as_json, lines=lines)
