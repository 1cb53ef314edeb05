"""A folder of registry files made from text, and an adapter that only has a settings model."""

from __future__ import annotations

import textwrap
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import Field

from hub.errors import RegistryRefused, UnsupportedFeature
from hub.ports import Adapter, Parcel, Prepared, Rendering, Session
from hub.schemas.base import Frozen
from hub.schemas.directory import Channel
from registry import load

KYIV = "UA80000000000093317"
LVIV_OBLAST, LVIV_DISTRICT, LVIV = "UA46000000000026241", "UA46060000000042587", "UA46060250000025047"


class Settings(Frozen):
    """Settings of the adapter that is not one."""

    url: str
    timeout_secs: int = Field(default=10, ge=1)
    tags: tuple[str, ...] = ()


class PaperAdapter:
    """Has a name, dialects and a settings model; never talks to anyone."""

    name = "rest"
    dialects = frozenset({"envelope"})
    settings_model = Settings

    def rendering(self, channel: Channel) -> Rendering:
        """Never asked."""
        raise UnsupportedFeature("paper")

    def polls(self, channel: Channel) -> bool:
        """No."""
        return False

    def collects(self, channel: Channel) -> bool:
        """No."""
        return False

    def pulled(self, channel: Channel) -> bool:
        """No."""
        return False

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """Never asked."""
        raise UnsupportedFeature("paper")

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        """Never asked."""
        raise UnsupportedFeature("paper")


ADAPTERS: dict[str, Adapter] = {"rest": PaperAdapter()}

SOUND = f"""
topics:
  - {{code: utilities, name: Комунальне господарство}}
  - {{code: utilities.heating, name: Тепло, parent: utilities}}
authorities:
  - code: "00000003"
    name: Кабінет Міністрів України
    kind: cabinet
    territory: UA
  - code: "04055896"
    name: Львівська міська рада
    kind: local_self_government
    superior: "00000003"
    territory: {LVIV}
    competences:
      - topics: [utilities]
    channels:
      - {{id: 04055896.rest, adapter: rest, settings: {{url: "https://lviv.example/"}}}}
stages:
  - {{stage: 1, from_day: 2016-01-01, channels: [phone, web], routed: [cabinet, local_self_government]}}
"""


def write(folder: Path, **files: str) -> Path:
    """Files by name; ``__`` in a name is a folder, and ``.yaml`` is added."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def faults(folder: Path) -> list[tuple[str, str]]:
    """Pointer and code of every fault of a folder that must be refused."""
    try:
        load(folder, ADAPTERS)
    except RegistryRefused as refused:
        return [(fault.pointer, fault.code) for fault in refused.faults]
    raise AssertionError("the registry was not refused")
