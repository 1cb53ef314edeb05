"""README and ``verify.sh`` of a bundle: what is in it, and the commands of other makers that verify each thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final, Protocol

from hub.evidence import keys
from hub.schemas.keys import VerificationKey

_XMLSEC: Final = (
    "xmlsec1 --verify --enabled-key-data key-name {key} "
    "--id-attr:Id http://uri.etsi.org/01903/v1.3.2#:SignedProperties "
    "--id-attr:Id http://www.w3.org/2000/09/xmldsig#:KeyInfo {file}"
)


class _Seal(Protocol):
    @property
    def file(self) -> str: ...
    @property
    def form(self) -> str: ...
    @property
    def party(self) -> str: ...
    @property
    def kid(self) -> str | None: ...
    @property
    def envelope(self) -> str: ...


def write(
    *,
    case_id: str,
    hub: str,
    own: VerificationKey,
    seals: Sequence[_Seal],
    used: Mapping[tuple[str, str], VerificationKey],
    sent: Sequence[tuple[str, str]],
    left_out: int,
) -> tuple[str, str]:
    """The text of README.md and of verify.sh."""
    base = keys.stem(hub, own)
    manifest = [
        ("the manifest's seal", f"jose jws ver -i manifest.jws -k {base}.jwk -O - | cmp - manifest.json"),
        ("the list of sums", "grep -q $(sha256sum < SHA256SUMS | cut -c 1-64) manifest.json"),
        ("the sums", "sha256sum -c --quiet SHA256SUMS"),
    ]
    sealed = [(f"{seal.party}: {seal.file}", _command(seal, used)) for seal in seals]
    tries = [(f"sent as written: {path}", f"test $(sha256sum < {path} | cut -c 1-64) = {sha}") for path, sha in sent]
    checks = [f"holds \"{what}\" '{_guarded(command)}'" for what, command in manifest + sealed + tries]
    prints = [f"- {party}: `{kid}` (`{keys.stem(party, key)}.pub`)" for (party, kid), key in sorted(used.items())]
    text = _filled(
        "README.md",
        case=case_id,
        hub=hub,
        attachments=f"{left_out} are left out of this bundle" if left_out else "all that the envelopes name",
        fingerprints="\n".join(prints),
        manifest="\n".join(command for _, command in manifest),
        seals="\n".join(command for _, command in sealed) or "# none",
        sent="\n".join(command for _, command in tries) or "# nothing was sent",
    )
    return text, _filled("verify.sh", checks="\n".join(checks))


def _filled(template: str, **words: str) -> str:
    text = files("hub.evidence").joinpath("templates", template).read_text("utf-8")
    for name, word in words.items():
        text = text.replace("{{" + name + "}}", word)
    return text


def _guarded(command: str) -> str:
    """A pipe that fails if any part of it does: the first program's verdict must not be lost behind the last one's."""
    first, pipe, last = command.partition(" | cmp - ")
    return f"{first} > .verified && cmp .verified {last} && rm .verified" if pipe else command


def _command(seal: _Seal, used: Mapping[tuple[str, str], VerificationKey]) -> str:
    if seal.kid is None:
        return f"false # the registry has no key of {seal.party} that fits {seal.file}"
    key = used[seal.party, seal.kid]
    base = keys.stem(seal.party, key)
    if seal.form == "jws":
        return f"jose jws ver -i {seal.file} -k {base}.jwk -O - | cmp - {seal.envelope}"
    pinned = f"--pubkey-cert-pem {base}.crt" if keys.is_certificate(key) else f"--pubkey-pem {base}.pub"
    return _XMLSEC.format(key=pinned, file=seal.file)
