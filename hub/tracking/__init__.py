"""State and terms of a case, computed from its facts by the law that is passed in.

Everything here is a function of its arguments: no clock, no store, no network.
"""
