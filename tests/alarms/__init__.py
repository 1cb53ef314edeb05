"""Alarms: when they open and close, that somebody is told once, and the list of what ends."""
