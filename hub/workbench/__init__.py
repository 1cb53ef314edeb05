"""Workbench of the integration engineer: a channel tried before it is used.

Samples that say all that an appeal can say, tests that a system can tell from a real message, recordings of a whole
conversation and their replay without a network, drafts of mappings out of a system's own description. People reach it
by ``hub channel`` and ``hub registry``. Nothing that carries appeals may import this room, and nothing here opens,
changes or closes a case.
"""
