"""Upkeep: what the hub knows of its own condition. Figures that alarms watch, the file of alarms, how people are told,
and the list of everything that ends: certificates, keys, revocation lists, pinned keys, secrets.

It reads and tells; a decision about an alarm stands in ``hub.alarms``, and a case's data must not enter this room.
"""
