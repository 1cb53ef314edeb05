"""The adapter ``email``: sealed envelopes to bodies with a mailbox, and what comes back into the hub's own mailbox.

Out (dialect ``envelope``): ``letter`` writes what a person reads, ``compose`` makes the exact bytes, ``smime`` signs
them, ``smtp`` carries them. In (dialect ``mailbox``): ``imap`` and ``pickup`` fetch, ``parse`` reads hostile bytes,
``classify`` tells reports, robots and people apart, ``replies`` makes statements of it. All but the two ends are pure.
What arrives by mail can show ``delivered``, never ``registered`` (CMU 55/2018 items 32 and 45). No store, registry or
decision about a case may enter.
"""
