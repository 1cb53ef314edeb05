"""Tests of the HTTP doors, over real HTTP on loopback."""
