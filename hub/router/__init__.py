"""Routing: from topics, place, addressee and kind of an appeal to one authority and its channels, with reasons.

Pure: a decision is a function of the request, one directory and one day; it reads nothing, sends nothing, remembers
nothing. What must not enter: a transport, a store, a clock, and above all names: 133 names of communities stand for 350
of them, so routing goes by codes only. docs/routing.md tells the rules in words.
"""

from hub.router.decide import accused_above, decide
from hub.router.order import in_order, topic_chain
from hub.router.values import Decision, Reason, Routable, RoutingRequest, Rules, Step, StepCode

__all__ = [
    "Decision",
    "Reason",
    "Routable",
    "RoutingRequest",
    "Rules",
    "Step",
    "StepCode",
    "accused_above",
    "decide",
    "in_order",
    "topic_chain",
]
