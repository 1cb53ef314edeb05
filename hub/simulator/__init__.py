"""The other side: authorities with characters, over real HTTP, and the citizens' appeals that they get. All made up.

It stands beside the doors and is used by ``hub simulate``, the demo and tests. It speaks to a hub only as a real system
would: over the network, with its own key and credential. No store, no use case and no bootstrap of the hub may enter.
"""
