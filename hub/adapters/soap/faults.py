"""A SOAP fault as an error that knows what to do next."""

from __future__ import annotations

from hub.adapters.faults import classify, shown
from hub.adapters.soap.wire import Fault
from hub.errors import DeliveryError


class SoapFault(DeliveryError):
    """The other side answered with a fault. ``fault`` holds it whole; the message here carries the code path only."""

    code = "soap.fault"

    def __init__(self, fault: Fault, *, http_status: int | None = None) -> None:
        kind = classify(fault.path)
        super().__init__(
            f"They answered with the fault {shown(fault.path) or '(no code)'}.",
            code=f"soap.fault_{kind}",
            http_status=http_status,
        )
        self.fault = fault
        self.kind = kind
