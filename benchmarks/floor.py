"""The bare loop of DESIGN section 7, the floor that the hub is held against. No framework, two processes.

Each process, fifty messages at a time: sign each as an ES256 JWS, insert them as rows in one statement and commit, post
each over a kept-alive connection to the receiving process, read its acknowledgement, update the rows in one statement
and commit. What it leaves out is all that makes a hub: intake, routing, lanes, retries, facts, proof.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import sys
import time
import uuid

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from benchmarks.appeals import bodies, codes

BATCH = 50
PROCESSES = 2
TABLE = "CREATE TABLE floor (id uuid PRIMARY KEY, body bytea NOT NULL, payload bytea NOT NULL, state text NOT NULL)"
_INSERT = "INSERT INTO floor SELECT unnest(%s::uuid[]), unnest(%s::bytea[]), unnest(%s::bytea[]), 'waiting'"
_UPDATE = "UPDATE floor SET state = 'delivered' WHERE id = ANY(%s)"


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(key: ec.EllipticCurvePrivateKey, payload: bytes) -> bytes:
    """A compact JWS (RFC 7515, ES256) with the members that the hub's has."""
    digest = hashlib.sha256(payload).hexdigest()
    header = f'{{"alg":"ES256","cty":"json","iat":{int(time.time())},"jcs_sha256":"{digest}","kid":"floor"}}'
    signing_input = _encode(header.encode()) + b"." + _encode(payload)
    r, s = decode_dss_signature(key.sign(signing_input, ec.ECDSA(hashes.SHA256())))
    return signing_input + b"." + _encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def run(database_url: str, port: int, count: int, first: int, authorities: int) -> tuple[float, float]:
    """Carry ``count`` messages; when it began and ended, seconds since 1970."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = list(bodies(count, codes(authorities), first=first))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with psycopg.connect(database_url) as database:
        sys.stdout.write("Floor ready on it\n")
        sys.stdout.flush()
        sys.stdin.readline()
        began = time.time()
        for at in range(0, count, BATCH):
            _carry(database, connection, key, made[at : at + BATCH])
        return began, time.time()


def _carry(
    database: psycopg.Connection[tuple[object, ...]],
    connection: http.client.HTTPConnection,
    key: ec.EllipticCurvePrivateKey,
    batch: list[tuple[str, bytes]],
) -> None:
    ids = [uuid.uuid4() for _ in batch]
    sealed = [sign(key, body) for _, body in batch]
    database.execute(_INSERT, (ids, [body for _, body in batch], sealed))
    database.commit()
    for message_id, (code, _), payload in zip(ids, batch, sealed, strict=True):
        headers = {"Content-Type": "application/jose", "Hub-Message-Id": str(message_id)}
        connection.request("POST", f"/{code}/appeals", payload, headers)
        answer = json.loads(connection.getresponse().read())
        if answer["message_id"] != str(message_id):
            raise ValueError("the acknowledgement names another message")
    database.execute(_UPDATE, (ids,))
    database.commit()


if __name__ == "__main__":
    began, ended = run(sys.argv[1], *map(int, sys.argv[2:6]))
    sys.stdout.write(json.dumps({"began": began, "ended": ended}) + "\n")
