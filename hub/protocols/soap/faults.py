"""A SOAP fault as an error that knows what to do next."""

from __future__ import annotations

from hub.errors import DeliveryError
from hub.protocols.faults import classify, hide, retry_of, shown
from hub.protocols.soap.wire import FaultElement


def told(fault: FaultElement, sent: bytes) -> str:
    """Code and reason for an operator, without any word of ``sent`` that they repeat."""
    return f"Fault {shown(fault.path)}: {hide(shown(fault.reason), sent)}"


class SoapFault(DeliveryError):
    """The other side answered with a fault: ``fault`` holds it whole.

    The message has the code's path only; ``detail`` the reason too, without any word of ``sent`` that it repeats.
    ``retry`` follows from the innermost word of the path that is known.
    """

    code = "soap.fault"

    def __init__(self, fault: FaultElement, *, sent: bytes, http_status: int | None = None) -> None:
        super().__init__(
            f"They answered with the fault {shown(fault.path) or '(no code)'}.",
            code=f"soap.fault_{classify(fault.path)}",
            http_status=http_status,
            detail=told(fault, sent),
            remedy="Their reason stands in the detail: mend the channel's settings or its mapping by it, or ask them.",
        )
        self.fault = fault
        self.retry = retry_of(fault.path)
