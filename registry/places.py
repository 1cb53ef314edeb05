"""File and line of a channel's setting, looked up when somebody has to mend it; the registry in force keeps none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from registry.faults import pointer
from registry.source import YamlFile, yaml_files
from registry.yamlfile import Path as Inside
from registry.yamlfile import parse


def where(folder: Path, channel_id: str, setting: str | None = None) -> str | None:
    """``lviv.yaml:11#/channels/0/channel/settings/auth/token``: the place of a channel's setting, or of what is nearest
    around it; None if no file that can be read names the channel.
    """
    try:
        files = list(yaml_files(folder))
    except OSError:
        return None
    for path in files:
        text = _text(path)
        if channel_id not in text:
            continue
        for inside, channel in _channels(parse(text).data):
            if channel.get("id") == channel_id:
                return _pointer(YamlFile(path.relative_to(folder).as_posix(), text), inside, channel, setting)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""


def _channels(data: Any) -> Iterator[tuple[Inside, dict[str, Any]]]:
    """Channels of a file, those that stand apart and those of its authorities."""
    sections = data if isinstance(data, dict) else {}
    for number, entry in enumerate(_list(sections.get("channels"))):
        if isinstance(entry, dict) and isinstance(entry.get("channel"), dict):
            yield ("channels", number, "channel"), entry["channel"]
    for number, entry in enumerate(_list(sections.get("authorities"))):
        for inner, channel in enumerate(_list(entry.get("channels")) if isinstance(entry, dict) else []):
            if isinstance(channel, dict):
                yield ("authorities", number, "channels", inner), channel


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _pointer(source: YamlFile, inside: Inside, channel: Any, setting: str | None) -> str:
    path, value = (*inside, "settings"), channel.get("settings")
    for step in (setting or "").split("/"):
        key: str | int = int(step) if isinstance(value, list) and step.isdecimal() else step
        if not (key in value if isinstance(value, dict) else isinstance(key, int) and key < len(value)):
            break
        path, value = (*path, key), value[key]
    return pointer(source.name, source.where(path), path)
