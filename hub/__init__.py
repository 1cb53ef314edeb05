"""Integration hub between the National Contact Centre (NCC) and the systems that authorities already have.

    demo cli api worker simulator    the doors, and the other side
    bootstrap                        the only place where classes meet
    adapters protocols net           how systems are spoken to
    storage seals evidence           what is kept, signed, proven
    outbound inbound cases following the use cases; delivery is their common ground
    router tracking                  who must answer; state and terms: pure
    sealed ports schemas errors      the ground

docs/architecture.md draws it, docs/glossary.md has the words. The registry of authorities is a package of its own.
"""

__version__ = "0.1.0"
