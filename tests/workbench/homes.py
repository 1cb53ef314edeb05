"""A home with one channel of dialect ``template``, for tests of what people try it with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.cli.init import make_home
from hub.settings import Settings

BODY = "00032106"
CHANNEL = f"{BODY}.edms"
TEMPLATE: dict[str, Any] = {
    "leaves_out": [
        *("channel", "kind", "sign", "received_at", "reply_by", "applicant", "topics", "subject", "place"),
        *("operator_notes", "reference"),
    ],
    "request": {"ours": "$message_id", "text": "$body.text"},
    "answer": {
        "status": {"path": "state", "values": {"1": "registered", "7": "refused", "0": "delivered"}},
        "id": "id",
        "number": "number",
        "date": "date",
        "ground": {"path": "why", "default": "other"},
    },
}
REGISTERED = {"state": 1, "id": "d-1", "number": "17-К", "date": "2026-11-25"}


def home_with(folder: Path, settings: Mapping[str, Any], *, adapter: str = "rest", dialect: str = "template") -> Path:
    """A home whose registry has the channel; made once, its channel changed by another call."""
    home = folder / "home"
    if not home.exists():
        make_home(Settings(home=home))
    channel = {"id": CHANNEL, "adapter": adapter, "dialect": dialect, "settings": dict(settings)}
    overlay = {"channels": [{"authority": BODY, "channel": channel}]}
    (home / "registry" / "edms.yaml").write_text(json.dumps(overlay), "utf-8")
    return home


def template(port: int = 9, **more: Any) -> dict[str, Any]:
    """Settings of the channel. ``more``: further ones; those of ``template`` change the section."""
    section = {**TEMPLATE, **more.pop("template", {})}
    url = f"http://127.0.0.1:{port}/in"
    return {"url": url, "allow_http": True, "allow_private": ["127.0.0.1/32"], "template": section, **more}
