"""Room of the e-mail adapter: MIME with sealed envelopes over SMTP and IMAP comes with a later issue, so there is
nothing here yet but the room. What arrives by it can show ``delivered``, never ``registered`` (CMU 55/2018 items 32
and 45).
"""
