"""Whole processes over real HTTP: what a stranger would start."""
