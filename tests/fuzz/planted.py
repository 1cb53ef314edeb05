"""A reader with a fault that no seed comes near: the fuzzer's own test."""

from __future__ import annotations

from tests.fuzz.judging import Target


def _reads(data: bytes) -> None:
    if data[:1] == b"<" and data[1:2] == b"h" and data[2:3] == b"u" and data[3:4] == b"b" and data[4:5] == b">":
        raise KeyError


TARGETS = (Target(name="planted", reads=_reads, seeds=lambda: [b"fine"]),)
