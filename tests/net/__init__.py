"""Tests of the room ``hub.net``: the guarded client, kept sessions, secrets by reference."""
