"""Mistakes of those who connect an authority, each made for real on loopback; what is shown stands on one page.

``python -m tests.mistakes`` writes the tables of docs/operations/mistakes.md anew.
"""
