"""Routing data made from the official lists in one way: `hub registry draft`.

Networks of bodies are found by name in the list of SEV participants, tied to the codifier, and given the competences
that the rules say (`registry/data`: networks, central, competences). What comes out are registry files for people to
review; what was not found, or fits several places, is told and never guessed. What must not enter: routing, loading.
"""

from registry.drafting.run import REPORT_FILE, DraftReport, draft

__all__ = ["REPORT_FILE", "DraftReport", "draft"]
