"""Tests of the room ``hub.adapters``: every adapter, and the contract suite that every adapter must pass."""
