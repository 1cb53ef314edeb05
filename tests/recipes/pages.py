"""What the pages of docs/recipes show, made ready to run; folders of forms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from lxml import etree

from hub.protocols.soap.fetching import pin
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.storage.attachments import MemoryAttachments
from tests.conftest import ROOT, vectors_root

FORMS = Path(__file__).with_name("forms")
LOOPBACK = {"allow_http": True, "allow_private": ["127.0.0.0/8"]}
PHOTO, SCAN = b"a", bytes(range(256)) * 50


def page(name: str) -> str:
    """A page."""
    return (ROOT / "docs" / "recipes" / f"{name}.md").read_text("utf-8")


def block(text: str, title: str) -> str:
    """Body of the one code block with this title."""
    (found,) = re.findall(rf"^```\w+ {title}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return str(found)


def sources(name: str, vectors: str) -> list[Path]:
    """The form as it was written anew, and the original where there is one."""
    original = vectors_root() / vectors
    return [FORMS / name, *([original] if original.is_dir() else [])]


def described(text: str, source: Path, folder: Path, root: str, url: str, **section: Any) -> Channel:
    """The channel of a page, with its mapping beside the form's files."""
    files = {path.name: path.read_bytes() for path in source.iterdir() if path.suffix in (".wsdl", ".xsd")}
    files["mapping.yaml"] = block(text, "mapping").encode()
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    channel = Channel.model_validate(yaml.safe_load(block(text, "channel")))
    pinned = {**channel.settings["wsdl"], "folder": str(folder), "sha256": pin(folder, root, files), **section}
    settings = {**channel.settings, **LOOPBACK, "url": url, "wsdl": pinned}
    return channel.model_copy(update={"settings": settings})


def stored(attachments: MemoryAttachments) -> tuple[Attachment, Attachment]:
    """Two files in the store."""
    found = []
    for data, kind, name in ((PHOTO, "image/jpeg", "a.jpg"), (SCAN, "application/pdf", "скан «1».pdf")):
        sha256, size = attachments.put(iter([data]), limit=len(data))
        found.append(Attachment(sha256=sha256, size=size, media_type=kind, name=name))
    return found[0], found[1]


def plain(data: bytes | str) -> list[tuple[str, dict[str, str], str]]:
    """Names, attributes and texts of a document; long base64 as ``…``."""
    text = data if isinstance(data, str) else data.decode()
    root = etree.fromstring(text.partition("?>\n")[2] if text.startswith("<?xml ") else text)
    said = [(node, "".join((node.text or "").split())) for node in root.iter(etree.Element)]
    return [
        (str(node.tag), {str(k): str(v) for k, v in node.items()}, "…" if len(text) > 500 else text)
        for node, text in said
    ]
