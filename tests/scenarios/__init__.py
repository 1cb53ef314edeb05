"""Scenarios of the law in plain Ukrainian, readable by a lawyer; ``texts/README.md`` tells how they are written."""
