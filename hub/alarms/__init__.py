"""Alarms: when a person must look, and that somebody is told: once when it begins, once when it ends, once a day.

Rules are data (``data/alarms.yaml``); whether an alarm stands is a pure decision (``judging``). What is seen, who hears
and how they are reached are ports: ``hub.upkeep`` and ``hub.storage.alarms``. Nothing here knows a case or a person.
"""
