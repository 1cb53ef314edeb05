"""Followers of the feed of events, beside the way of an appeal: nothing here may hold an appeal up.

Here stand likeness of appeals, scores of answers, digests for reports, surges, webhooks and pruning. Each follower
keeps its own place in the feed, does everything so that doing it twice changes nothing, and may be hours behind without
harm. Decisions on routing, terms and states must not enter; nor may anything that touches the world but a port.
"""
