"""SOAP 1.1 and 1.2 over the guarded HTTP client.

``description`` reads WSDLs (zeep, from local files only), ``wire`` reads and writes envelopes and faults, ``mime`` and
``files`` attachments, ``client`` makes calls; ``security`` and ``verifying`` are WS-Security. zeep builds and reads
bodies; its transport, its file access and its WS-Security never enter.
"""
