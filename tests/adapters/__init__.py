"""Tests of the room ``hub.adapters``: the guarded client, and the contract suite that every adapter must pass."""
