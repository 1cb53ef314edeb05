"""Faults made on purpose, and the accounting over them: kill, freeze, wipe and poison, then count every appeal.

Here stand the harness (its own PostgreSQL and RabbitMQ, the hub's processes, a submitter, recording authorities), the
cells of the matrix of faults, and the tests of the bounded part; ``python -m tests.chaos`` is the long form. Nothing
here may reach into the hub's memory: what is counted is what the two ends of the way saw, and what the doors tell.
"""
