"""Fuzzing of everything that reads foreign bytes: a table of targets, and bytes made by chance, guided by coverage.

A target takes any bytes: it raises nothing but the errors that it names, in bounded time and memory. ``python -m
tests.fuzz`` runs targets for a while (``make fuzz`` sets up what it needs); the quick tests beside it give each target
its seeds only. Seeds are made by the project's own makers, or read from HUB_VECTORS when the fuzzer runs.
"""
