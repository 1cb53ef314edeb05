"""Common ground of the three directions (``hub.outbound``, ``hub.inbound``, ``hub.cases``): records that each of them
writes, when to try again, the next channel, shadow channels. What only one direction needs stays there.
"""
