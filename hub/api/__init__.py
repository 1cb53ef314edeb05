"""The HTTP doors: who is calling, may they, is the body small and well made, and then one use case.

A door reads the body by its own limited reader, hands bytes to the strict parsers of ``hub.schemas``, calls a use case
of ``hub.cases`` or ``hub.inbound`` in a thread, and shows the result. What must not enter: decisions about appeals,
writes to the database other than through a use case (the one exception: an uploaded file and who may read it), anything
that an error, a log line or a metric could carry personal data with.
"""
