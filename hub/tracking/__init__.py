"""Truth about a case, derived from its facts; terms of the law; retry and breaker rules stand in ``delivery``.

Everything here is a function of its arguments: no clock, no store, no network.
"""
