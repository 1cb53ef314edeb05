"""Evidence (докази): all that happened to one case, in a zip that others can check without the hub.

``export`` writes the envelopes' exact bytes, seals, attempts with the SHA-256 of what went out, what came in as it
came, facts, public keys, a sealed manifest, and a README with the commands of other makers that verify each thing.
``check`` does the same from our side. Nothing here decides anything, and nothing is written to the store.
"""

from hub.evidence.check import Check, CheckReport, check
from hub.evidence.export import Exported, Exporter

__all__ = ["Check", "CheckReport", "Exported", "Exporter", "check"]
