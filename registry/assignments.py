"""Assignments to settings of channels, as a person types them: a path and a value, by the strict rules."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any, Final

from hub.errors import Fault, InvalidInput
from registry.edit import Keys
from registry.yamlfile import parse

_LANE: Final = ("settings", "lane")
"""Many look for the lane among the settings; no adapter has one there."""
ACTION: Final = "Mend the assignment and try again; nothing was written."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewValue:
    """A value for one setting of each channel; ``unset``: the setting goes, and its default holds."""

    keys: Keys
    value: Any = None
    unset: bool = False

    def apply(self, channel: Any) -> bool:
        """Set the value in data that was read. False if nothing changes; True also where it cannot be put: then the
        text cannot be edited either, and says why.
        """
        found = within(channel, self.keys)
        if found is None if self.unset else found is not None and same(found[0], self.value):
            return False
        at = channel
        for key in self.keys[:-1]:
            step = within(at, (key,))
            if (step is None or step[0] is None) and isinstance(at, dict):
                at[key] = {}
                step = (at[key],)
            at = step[0] if step is not None else None
        self._put(at)
        return True

    def _put(self, at: Any) -> None:
        key = self.keys[-1]
        if isinstance(at, dict) and self.unset:
            at.pop(key, None)
        elif isinstance(at, dict):
            at[key] = copy.deepcopy(self.value)
        elif isinstance(at, list) and key.isdecimal() and int(key) < len(at) and not self.unset:
            at[int(key)] = copy.deepcopy(self.value)


def within(data: Any, keys: Keys) -> tuple[Any] | None:
    """The value at ``keys`` in data that was read; None if there is no such place."""
    for key in keys:
        if isinstance(data, dict) and key in data:
            data = data[key]
        elif isinstance(data, list) and key.isdecimal() and int(key) < len(data):
            data = data[int(key)]
        else:
            return None
    return (data,)


def same(one: Any, other: Any) -> bool:
    """True if equal and of one type: 1 is not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def assignment(said: str) -> NewValue:
    """Read ``lane.rate_per_sec=5``: a path by dots, or a JSON pointer, and a value by the registry's strict YAML.

    No value: the setting is taken out. Raises ``InvalidInput``.
    """
    path, equals, value = said.partition("=")
    if not equals:
        raise refused(path, "registry.set.form", "must be PATH=VALUE; PATH= takes the setting out")
    if not value.strip():
        return unset(path)
    parsed = parse(value)
    if parsed.problems:
        raise refused(path, parsed.problems[0].code, parsed.problems[0].message)
    return NewValue(keys=_keys(path), value=parsed.data)


def unset(path: str) -> NewValue:
    """The assignment that takes a setting out. Raises ``InvalidInput``."""
    return NewValue(keys=_keys(path), unset=True)


def _keys(path: str) -> Keys:
    path = path.strip()
    if path.startswith("/"):  # RFC 6901, as faults name places: for keys with a dot in them
        keys = tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    else:
        keys = tuple(path.split("."))
        keys = keys[1:] if keys[:2] == _LANE else keys
    if not all(keys):
        raise refused(path, "registry.set.form", "must be names with dots between them, such as lane.rate_per_sec")
    return keys


def refused(said: str, code: str, message: str) -> InvalidInput:
    """The error for a word of the command that cannot be used."""
    fault = Fault(pointer=said.strip(), code=code, message=message)
    return InvalidInput("This cannot be set.", code=code, faults=[fault], action=ACTION)
