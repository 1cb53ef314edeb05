"""The way out: what is due is claimed, dispatched over a lane, and settled by its outcome.

``sweeper`` finds lanes that have work, ``claim`` takes a batch with intent before effect, ``sender`` sends it,
``settle`` says what an outcome means, ``circuit_breaker`` when a lane rests, ``dispatcher`` is the whole as workers use
it. What must not enter: how a system is spoken to, and who an appeal belongs to.
"""
