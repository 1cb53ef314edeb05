"""Reads one hostile XML document in a process of its own and reports what it cost. Run by ``test_strict_xml``.

Makes the document by its name after the parser is loaded, so that only parsing counts. Prints one JSON object: codes of
the faults, processor time as a share of what the largest harmless document takes here and now, growth of the largest
resident size in MiB over the document itself.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hub.errors import InvalidInput
from hub.schemas import strict_xml

SIZE = strict_xml.MAX_BYTES - 100

DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "long text": lambda: b"<a>" + b"x" * SIZE + b"</a>",
    "long text in CDATA": lambda: b"<a><![CDATA[" + b"x" * SIZE + b"]]></a>",
    "many CDATA": lambda: b"<a>" + b"<![CDATA[]]>" * (SIZE // 12) + b"</a>",
    "open CDATA": lambda: b"<a>" + b"<![CDATA[" * (SIZE // 9),
    "deep": lambda: b"<a>" * (SIZE // 3),
    "closing only": lambda: b"</a>" * (SIZE // 4),
    "flat with CDATA": lambda: b"<a><![CDATA[]]>" + b"<b/>" * (SIZE // 4) + b"</a>",
    "flat": lambda: b"<a>" + b"<b/>" * (SIZE // 4) + b"</a>",
    "attributes on one": lambda: b"<a " + b" ".join(b'a%d=""' % i for i in range(800_000)) + b"/>",
    "attributes on many": lambda: (
        b"<a>" + (b"<b " + b" ".join(b'a%d=""' % i for i in range(3_000)) + b"/>") * 200 + b"</a>"
    ),
    "namespaces": lambda: (
        b"<a " + b" ".join(b'xmlns:a%d="urn:x"' % i for i in range(2_500)) + b">" + b"<b/>" * 9_999 + b"</a>"
    ),
    "long name": lambda: b"<" + b"a" * SIZE + b"/>",
    "open tag": lambda: b"<a " + b'x="" ' * (SIZE // 6),
    "open value": lambda: b'<a x="' + b"y" * SIZE,
    "brackets": lambda: b"<" * SIZE,
    "bare ampersands": lambda: b"<a>" + b"&" * 1_000_000 + b"</a>",
    "entity bomb": lambda: (
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
        b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>'
    ),
    "quadratic": lambda: b'<!DOCTYPE a [<!ENTITY a "' + b"a" * 100_000 + b'">]><a>' + b"&a;" * 100_000 + b"</a>",
    "relative namespaces": lambda: (
        b'<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance">' + b'<r xmlns="x"/>' + b"<b/>" * 49_000 + b"</a>"
    ),
}

HARMLESS = b"<a>" + (b"<b c='xxxx'>" + b"y" * 150 + b"</b>") * 49_000 + b"</a>"
"""8 MB, filled up to what is permitted; reading it takes about 100 ms."""


def main(name: str) -> None:
    """Read the document of this name, or the file at this path."""
    data = DOCUMENTS[name]() if name in DOCUMENTS else Path(name).read_bytes()
    strict_xml.parse(b"<warm/>")
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    codes: list[str] = []
    try:
        strict_xml.parse(data)
    except InvalidInput as error:
        codes = [fault.code for fault in error.faults]
    cpu = time.process_time() - begin
    rss = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_024
    begin = time.process_time()
    strict_xml.parse(HARMLESS)
    cost = {"codes": codes, "share": cpu / (time.process_time() - begin), "rss_mib": rss}
    sys.stdout.write(json.dumps(cost))


if __name__ == "__main__":
    main(sys.argv[1])
