"""The figures of DESIGN section 7, measured: ``python -m benchmarks`` (``make bench``).

Every figure of speed is a ratio of things that ran side by side on one machine in one run: the bare loop
(``floor``), the plain pipeline (``plain``) and the hub in its production set-up (``hub_run``), all against one
receiving process (``receiver``) and with the same appeals. What must not enter: anything that the hub needs to work,
and shortcuts that a real caller or a real authority could not take.
"""
