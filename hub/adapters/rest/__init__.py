"""The adapter ``rest``: one HTTP call per message, one file per dialect.

``adapter`` carries (session, credentials, streaming, errors); a dialect is pure: it makes requests of parcels and
judges answers, and never sees a socket, a secret or a file. A new dialect is one module and one line in the adapter's
table of dialects.
"""
