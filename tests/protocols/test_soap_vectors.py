"""WSDLs and messages of two SOAP libraries: each loads off-line or is refused with an error that says what is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import ConfigurationError, InvalidInput
from hub.protocols.soap.description import understand
from hub.protocols.soap.files import resolve
from hub.protocols.soap.wire import read_envelope
from tests.adapters.alone import alone

pytestmark = [pytest.mark.vectors("soap-node-soap"), pytest.mark.vectors("soap-php-interop")]
AT_LEAST = 101
"""Of 129; zeep alone loads 75, 84 are demanded. Fewer than now is a step back."""


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with alone():
        yield


def folder_of(path: Path, root: Path) -> Path:
    """What belongs together: a sample's own folder, or the folder of loose descriptions."""
    return path.parent if "request-response-samples" in path.parts else root


@pytest.mark.slow
def test_wsdls_load_off_line_or_fail_by_name(vectors: Path) -> None:
    """129 WSDLs of node-soap and PHP: none asks the network, each failure names a file, a line or a thing."""
    ends: dict[str, str] = {}
    for name in ("soap-node-soap", "soap-php-interop"):
        root = vectors / name
        loose = root / "wsdl" if name == "soap-node-soap" else root
        for path in sorted(root.rglob("*.wsdl")):
            base = folder_of(path, loose)
            files = {
                each.relative_to(base).as_posix(): each.read_bytes()
                for each in base.rglob("*")
                if each.suffix in (".wsdl", ".xsd")
            }
            begun = time.thread_time()
            try:
                understand(resolve(path.relative_to(base).as_posix(), files))
                ends[str(path)] = ""
            except ConfigurationError as error:
                ends[str(path)] = str(error)
            assert time.thread_time() - begun < 5, path
    failed = {path: text for path, text in ends.items() if text}
    assert len(ends) == 129
    assert len(ends) - len(failed) >= AT_LEAST, failed
    assert all(text.startswith("wsdl.") and len(text) > 40 for text in failed.values())
    whole = "\n".join(failed.values())
    for told in ("line 20, column 58", "DummyResult", "No namespace defined for 'wsdlt'", "simpletype"):
        assert told in whole


def test_messages_are_read_or_refused_by_name(vectors: Path) -> None:
    """262 requests and answers: an envelope, or an error of ours; nothing else, and not slowly."""
    read = refused = 0
    paths = [*(vectors / "soap-node-soap").rglob("re*.xml"), *(vectors / "soap-php-interop").rglob("*.xml")]
    for path in sorted(paths):
        begun = time.thread_time()
        try:
            read_envelope(path.read_bytes())
            read += 1
        except InvalidInput:
            refused += 1
        assert time.thread_time() - begun < 1, path
    assert read + refused >= 250
    assert read >= 225
