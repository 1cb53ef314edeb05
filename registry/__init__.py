"""Registry of the authorities: reviewed files of authorities, topics, stages and territories, loaded into an index.

Here are the reader of those files and all its checks, the importers that bring official lists into them, and the
project's own data: a compact table of territories, a list of bodies, a starter registry. What must not enter: decisions
about one appeal (``hub.router``), anything that talks to another system (``hub.adapters``), anything stored per appeal.
"""

from registry.directory import FixedRegistry, LoadedDirectory
from registry.loader import load, read
from registry.reload import ReloadingRegistry

__all__ = ["FixedRegistry", "LoadedDirectory", "ReloadingRegistry", "load", "read"]
