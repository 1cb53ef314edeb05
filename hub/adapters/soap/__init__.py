"""The adapter ``soap``: SOAP 1.1 and 1.2 over the guarded HTTP client, one file per dialect.

``description`` reads WSDLs (zeep, from local files only), ``wire`` reads and writes envelopes and faults, ``mime``
attachments, ``client`` makes calls; ``signing`` and ``verifying`` are WS-Security. A dialect says what goes into a body
and what an answer means. zeep builds and reads bodies; its transport, its file access and its WS-Security never enter.
"""
