"""The other side: authorities with characters, over real HTTP, and the citizens' appeals that they get. All made up.

It stands beside the doors and is used by ``hub simulate``, the demo and tests. It speaks to a hub only as a real system
would: over the network, with its own key and credential. No use case, no bootstrap and no database of the
hub may enter; of ``hub.storage`` it uses files and the twins in memory.
"""
