"""A small registry to begin with: some forty real bodies, topics, stages; ``hub init`` copies it.

Codes and names are those of the official list (``registry/data/bodies.csv.gz``; a test compares them). Superior bodies,
territories and competences were set by hand as an example and are no legal statement. What must not enter: channels and
keys of real systems.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from hub.errors import ConfigurationError

FILES: Final = ("authorities.yaml", "topics.yaml", "stages.yaml", "channels.yaml")
FIRST_AUTHORITY: Final = "00032106"
"""The National Bank: the body of this registry that the first authority key is made for."""


def documents() -> dict[str, str]:
    """Text of each file of the starter registry, by name."""
    return {name: files(__name__).joinpath(name).read_text(encoding="utf-8") for name in FILES}


def write(folder: Path) -> tuple[Path, ...]:
    """Write the files that ``folder`` does not have yet; those it has stay. Raises ``ConfigurationError``."""
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in documents().items():
            target = folder / name
            if not target.exists():
                target.write_text(text, encoding="utf-8")
                written.append(target)
    except OSError as error:
        raise ConfigurationError(f"the registry's folder cannot be written: {error.strerror}") from None
    return tuple(written)
