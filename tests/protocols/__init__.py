"""Tests of the room ``hub.protocols``: SOAP and X-Road; SEV OVV has a folder of its own."""
