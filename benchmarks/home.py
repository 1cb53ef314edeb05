"""A hub's home for a run: at least 1,400 authorities, each with a REST channel of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.cli.init import make_home
from hub.schemas.directory import AuthorityKind
from hub.settings import Settings

MULTIPART_CODE = "69999999"
"""An authority that takes files along with the message."""
LAGGARD_CODE = "69999998"
"""An authority behind which much waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchHome:
    """Where it is, and the front end's API key."""

    folder: Path
    ncc_key: str


def make(folder: Path, receiver_url: str, codes: Sequence[str]) -> BenchHome:
    """Make a home whose registry has the starter's bodies and one connected authority for each code."""
    made = make_home(Settings(home=folder))
    everyone = [*codes, LAGGARD_CODE, MULTIPART_CODE]
    overlay = {
        "authorities": [_authority(code) for code in everyone],
        "channels": [_channel(code, receiver_url) for code in everyone],
    }
    # JSON is YAML, and writes many entries faster.
    (folder / "registry" / "benchmark.yaml").write_text(json.dumps(overlay, ensure_ascii=False, indent=1), "utf-8")
    return BenchHome(folder=folder, ncc_key=made.keys["ncc"].read_text("ascii").strip())


def channel_id(code: str) -> str:
    """Of an authority of the run."""
    return f"{code}.rest"


def _authority(code: str) -> Mapping[str, object]:
    # No competence listed: it gets what is addressed to it by name.
    return {"code": code, "name": f"Орган {code}", "kind": AuthorityKind.LOCAL_SELF_GOVERNMENT.value}


def _channel(code: str, receiver_url: str) -> Mapping[str, object]:
    settings = {"url": f"{receiver_url}/{code}/appeals", "allow_http": True, "allow_private": ["127.0.0.0/8"]}
    if code == MULTIPART_CODE:
        settings["attachments"] = "multipart"
    return {"authority": code, "channel": {"id": channel_id(code), "adapter": "rest", "settings": settings}}
