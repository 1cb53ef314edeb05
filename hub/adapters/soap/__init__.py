"""The adapter ``soap``: SOAP 1.1 and 1.2, one file per dialect. A dialect says what goes into a body, and what an
answer means; envelopes, attachments, descriptions and WS-Security are those of ``hub.protocols.soap``.
"""
