"""The case itself: taken in, routed, assigned and forwarded, watched over by the law, and what people say about it.

``intake`` takes appeals in, ``duties`` does what the law asks for, ``operators`` and ``contact_centre`` are the acts of
people. How a message goes out and how a word comes back is not known here.
"""
