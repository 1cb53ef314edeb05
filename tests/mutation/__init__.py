"""Mutation testing: small faults made on purpose in the code, and whether any test notices.

``python -m tests.mutation`` draws a random sample of mutants of each package by a printed seed, runs for each the tests
that reach its lines, the quickest first, until one fails, and tells the share that was noticed and each mutant that was
not. Nothing here may change a file of the project: a mutant lives in the memory of one forked process.
"""
