"""The way back: what authorities say becomes facts of a case.

``receiver`` checks, correlates and keeps it, whatever way it came; ``poller`` asks, ``collector`` fetches, ``sink`` is
where adapters hand over what they fetched, ``inbox`` serves those that fetch from us, ``bounces`` is what comes back
undelivered. What must not enter: how a system is spoken to, and what the law asks for next (``hub.cases``).
"""
