"""Inputs from public bug reports, and what the hub makes of each of them.

``gave.txt`` beside an input is what the hub does today, often wrong; the README of the case has the right value. So a
test here says nothing about right and wrong: it proves that what the hub makes of an input changes only on purpose. An
issue that mends a kind renews the files that it changes in the same commit: ``python -m tests.reported record``.
"""
