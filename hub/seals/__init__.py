"""Seals (електронні печатки): who signed what, decided by the registry's keys and by nothing in the message.

Here live the hub's own signing key, the strict reading of JWS and XAdES, and the port ``hub.ports.Seal`` over both.
Everything is bytes in, bytes out: what an envelope says, who its sender is, and where messages are kept must not enter
this room. Our own checks come before any library is asked, and only what verification returned is handed back.
"""

from hub.seals.hub_seal import HubSeal
from hub.seals.keys import SigningKey, load_signing_key, make_key_file

__all__ = ["HubSeal", "SigningKey", "load_signing_key", "make_key_file"]
