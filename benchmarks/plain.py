"""The plain pipeline of DESIGN section 7: what one writes in an afternoon, on the same RabbitMQ and PostgreSQL.

One row, one Celery task, one signxml signature and one ``requests.post`` for each message, each on its own. Celery's
usual prefork worker with a process per core; late acks, as anyone who wants to lose nothing would have it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import psycopg
import requests
from celery import Celery
from celery.signals import worker_ready
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.signer import XMLSigner

from benchmarks.appeals import bodies, codes

TABLE = "CREATE TABLE plain (id uuid PRIMARY KEY, code text NOT NULL, body bytea NOT NULL, state text NOT NULL)"
CONCURRENCY = 2

app = Celery("plain", broker=os.environ.get("BENCH_BROKER_URL", "memory://"), set_as_current=False)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_default_queue="plain",
    broker_connection_retry_on_startup=True,
    worker_redirect_stdouts=False,
)


@cache
def _key() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "plain")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
    return key, builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())


@cache
def _database() -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(os.environ["BENCH_DATABASE_URL"])


@cache
def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


@app.task(name="plain.send")  # type: ignore[untyped-decorator]
def send(message_id: str) -> None:
    """One message, from its row to its row."""
    database = _database()
    row = database.execute("SELECT code, body FROM plain WHERE id = %s", (message_id,)).fetchone()
    assert row is not None
    document = etree.Element("appeal", {"Id": message_id})
    document.text = bytes(row[1]).decode()
    key, certificate = _key()
    signed = XMLSigner(signature_algorithm=SignatureMethod.ECDSA_SHA256).sign(document, key=key, cert=[certificate])
    headers = {"Content-Type": "application/xml", "Hub-Message-Id": message_id}
    url = f"{os.environ['BENCH_RECEIVER']}/{row[0]}/appeals"
    answer = _session().post(url, etree.tostring(signed), headers=headers, timeout=30)
    answer.raise_for_status()
    if answer.json()["message_id"] != message_id:
        raise ValueError("the acknowledgement names another message")
    database.execute("UPDATE plain SET state = 'delivered' WHERE id = %s", (message_id,))
    database.commit()


def produce(made: Sequence[tuple[str, bytes]]) -> None:
    """Take messages in, each with its row and its task."""
    database = _database()
    for code, body in made:
        message_id = str(uuid.uuid4())
        database.execute("INSERT INTO plain VALUES (%s, %s, %s, 'waiting')", (message_id, code, body))
        database.commit()
        app.send_task("plain.send", (message_id,))


def work() -> None:
    """Run the worker."""
    worker_ready.connect(_say_ready)
    words = ["worker", "-Q", "plain", "-c", str(CONCURRENCY), "-l", "WARNING", "--without-gossip"]
    app.worker_main([*words, "--without-mingle", "--without-heartbeat", "-n", f"plain@{os.getpid()}"])


def _say_ready(**_: object) -> None:
    sys.stdout.write("Plain worker ready on it\n")
    sys.stdout.flush()


def main() -> None:
    """``python -m benchmarks.plain worker`` or ``python -m benchmarks.plain COUNT FIRST AUTHORITIES``."""
    if sys.argv[1] == "worker":
        work()
        return
    count, first, authorities = map(int, sys.argv[1:4])
    made = list(bodies(count, codes(authorities), first=first))
    sys.stdout.write("Plain ready on it\n")
    sys.stdout.flush()
    sys.stdin.readline()
    began = time.time()
    produce(made)
    sys.stdout.write(json.dumps({"began": began, "ended": time.time()}) + "\n")


if __name__ == "__main__":
    main()
