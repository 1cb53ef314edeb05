"""The adapter ``sftp``: files laid into an authority's folder, and theirs fetched out of another.

``connection`` opens SSH (paramiko) to checked addresses and pinned host keys; ``hub.protocols.sftp`` is spoken over it;
``placing`` uploads, checks and renames; ``collecting`` takes what the authority has written. A dialect (``drop``,
``asice``) is pure: it says which files a message becomes, and never sees a socket, a secret or a folder. Nothing here
reads known_hosts, an ssh configuration or an agent.
"""
