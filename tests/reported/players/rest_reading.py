"""Single pieces of the hub: likeness of applicants and texts, access tokens, files of a home, a codifier."""

from __future__ import annotations

import gzip
import inspect
import json
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner
from joserfc import jws
from joserfc.jwk import RSAKey

from hub.api.tokens import BearerTokens, Jwks, JwksFile
from hub.cli import cli
from hub.errors import HubError
from hub.following.likeness import applicant_tokens
from hub.following.text import shingles, words
from hub.net.webhook import read as read_webhooks
from hub.schemas.people import Applicant
from hub.tracking.law import read as read_law
from tests.following.likeness import jaccard
from tests.reported.players.text import settled

KEY = b"k" * 32
TERMS = Path(inspect.getfile(read_law)).parent / "data" / "terms.yaml"


def _tokens(person: Sequence[str]) -> set[bytes | str]:
    """Tokens of somebody with an address of his own, or if none is given with the phone that all have here."""
    surname, given, *address = person
    document = {
        "type": "individual",
        "name": {"surname": surname, "given": given},
        "address": {"text": address[0] if address else f"м. Київ, вул. {surname} {given}, 1"},
        "contacts": {} if address else {"phones": ["+380501112233"]},
    }
    if address:
        del document["contacts"]
    return set(applicant_tokens(Applicant.model_validate_json(json.dumps(document)), KEY))


def likeness(case: Path) -> str:
    """``pairs.json``: whether two are held to be one person; ``texts.json``: how alike a text is to itself."""
    lines = []
    for pair in json.loads((case / "pairs.json").read_bytes()):
        same = bool(_tokens(pair["a"]) & _tokens(pair["b"]))
        lines.append(f"{' '.join(pair['a'])} / {' '.join(pair['b'])}: {'one person' if same else 'two'}")
    for first, second, what in json.loads((case / "texts.json").read_bytes()):
        lines.append(f"{what}: Jaccard {jaccard(shingles(words(first)), shingles(words(second))):.2f}")
    return settled(lines)


def tokens(case: Path) -> str:
    """Well signed access tokens with the JOSE headers of ``headers.json``, and one without ``nbf``."""
    key, now = RSAKey.generate_key(2048, {"kid": "k1"}), int(time.time())
    claims = {"iss": "https://idp", "aud": "hub", "exp": now + 300, "nbf": now, "iat": now, "sub": "u1"}
    claims |= {"hub_role": "ncc", "hub_party": "36521731"}
    without = {name: value for name, value in claims.items() if name != "nbf"}
    tried = [(str(head), head, claims) for head in json.loads((case / "headers.json").read_bytes())]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "jwks.json"
        file.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        bearer = BearerTokens(
            issuer="https://idp", audience="hub", jwks=Jwks(JwksFile(file)), now=lambda: datetime.now(UTC)
        )
        lines = []
        for what, head, body in [*tried, ("no nbf", {}, without)]:
            token = jws.serialize_compact({"alg": "RS256", "kid": "k1", **head}, json.dumps(body).encode(), key)
            lines.append(f"{what}: {_done(partial(bearer.check, token))}")
    return settled(lines)


def _done(act: Callable[[], object]) -> str:
    try:
        act()
    except HubError as failure:
        return f"refused {failure}"
    return "taken"


def keys_twice(case: Path) -> str:
    """The two files of a home that name a key twice."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(TERMS, folder)
        shutil.copy(case / "calendar.yaml", folder)
        law = _done(lambda: read_law(folder))
        lines = [f"calendar: {law}", f"webhooks: {_done(lambda: read_webhooks(case / 'webhooks.yaml'))}"]
        found = [each.id for each in read_webhooks(case / "webhooks.yaml")] if lines[1].endswith("taken") else []
        return settled([*lines, f"endpoints: {found}"], folder, case)


def codifier(case: Path) -> str:
    """A good codifier, then one with rows that are refused: what is left of the good table."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = []
        for file, *more in (("old.csv",), ("new.csv", "--overwrite")):
            words = ["registry", "import-katottg", str(case / file), "--out", name, *more]
            done = CliRunner().invoke(cli, words)
            rows = sum(len(gzip.decompress(each.read_bytes()).splitlines()) for each in folder.rglob("*.csv.gz"))
            lines += [f"{file}: exit {done.exit_code}, {rows} lines in the table"]
            lines += [f"  {each}" for each in done.output.splitlines()]
        return settled(lines, folder, case)
