"""The OpenAPI 3.1 document: FastAPI's own, with the bodies that are read here by hand and the problem documents.

``python -m hub.api.openapi`` prints it; ``docs/openapi.json`` is that output, and a test compares the two.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hub import __version__
from hub.api.bulk import ActOn, Undo
from hub.api.classifiers import RouteQuestion
from hub.api.deprecation import DEPRECATED
from hub.api.hooks import Replay
from hub.api.journal_views import Attach, Decide, Dismiss, Tell
from hub.api.messages import Said
from hub.api.operations import OPERATIONS
from hub.api.ops import Assign, ChooseChannel, Close, Conclude
from hub.api.problems import MEDIA_TYPE
from hub.api.submission import AppealSubmission
from hub.schemas.envelope import ENVELOPE

REF = "#/components/schemas/{model}"
OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
DESCRIPTION = (
    "Carries citizens' appeals from the contact centre into the systems of public authorities, and their answers back. "
    "Errors are problem documents (RFC 9457) with a stable `code`; docs/api.md explains them."
)
_STATUSES = {
    400: "The bytes cannot be read: syntax, encoding.",
    401: "No credential, or one that is not valid.",
    403: "The role does not allow this.",
    404: "No such thing, or not the caller's.",
    408: "The body came too slowly.",
    409: "The id or the Idempotency-Key stands for something else.",
    410: "The cursor is older than the events that are still given out.",
    413: "Over a stated limit.",
    415: "A body type that is not taken here.",
    422: "It can be read and breaks a rule; `faults` names each.",
    429: "You hold your share already: uploads, streams or waiting questions; `RateLimit-Policy` names it.",
    500: "A fault of the hub; `incident` names it.",
    503: "The hub cannot keep what it would accept; see Retry-After.",
}
FAULT: dict[str, Any] = {
    "type": "object",
    "required": ["pointer", "code", "message"],
    "properties": {name: {"type": "string"} for name in ("pointer", "code", "message")},
}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "action", "repeatable"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:appeal-hub:problem:[a-z0-9._]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; what a program decides by."},
        "action": {"type": "string", "description": "What to do next."},
        "repeatable": {
            "type": "boolean",
            "description": "True: the same request may be sent again and can succeed. False: change it first.",
        },
        "faults": {
            "type": "array",
            "items": {"$ref": REF.format(model="ProblemFault")},
        },
        "retry_after": {"type": "integer", "description": "Seconds."},
        "incident": {"type": "string"},
    },
}


def _models() -> dict[str, Any]:
    """Schemas of the bodies that the doors read by themselves."""
    inputs: list[type[BaseModel]] = [
        AppealSubmission,
        Assign,
        ChooseChannel,
        Close,
        Conclude,
        ActOn,
        Undo,
        Attach,
        Decide,
        Dismiss,
        Tell,
        Replay,
        RouteQuestion,
        Said,
    ]
    _, schema = models_json_schema([(model, "validation") for model in inputs], ref_template=REF)
    found: dict[str, Any] = schema["$defs"]
    envelope = ENVELOPE.json_schema(ref_template=REF)
    found |= envelope.pop("$defs")
    found["Envelope"] = envelope
    found["SealedEnvelope"] = {
        "type": "object",
        "required": ["envelope", "seal"],
        "additionalProperties": False,
        "properties": {
            "envelope": {"$ref": REF.format(model="Envelope")},
            "seal": {"type": "string", "description": "JWS with detached payload (RFC 7515 appendix F)."},
        },
    }
    found["Problem"] = PROBLEM
    found["ProblemFault"] = FAULT
    return found


def _responses() -> dict[str, Any]:
    return {
        f"Problem{status}": {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}},
            **({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status in (429, 503) else {}),
            **({"headers": {"WWW-Authenticate": {"schema": {"type": "string"}}}} if status == 401 else {}),
        }
        for status, text in _STATUSES.items()
    }


def _not_null(parameter: dict[str, Any]) -> None:
    """Say of a parameter what it may be; it is left out, never null."""
    schema = parameter["schema"]
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) == 1:
        parameter["schema"] = {**kinds[0], **{name: schema[name] for name in schema if name != "anyOf"}}


def build(app: FastAPI) -> dict[str, Any]:
    """The document of an application, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title="Appeal hub", version=__version__, description=DESCRIPTION, routes=app.routes, openapi_version="3.1.0"
    )
    document["servers"] = [{"url": "/", "description": "The hub that serves this document."}]
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(_models())
    components["responses"] = _responses()
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a token of the OAuth2 issuer."}
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation["operationId"] = OPERATIONS[method.upper(), path]
            if (method.upper(), path) in DEPRECATED:
                operation["deprecated"] = True
            operation["security"] = [] if path in OPEN else [{"bearer": []}]
            for parameter in operation.get("parameters", ()):
                _not_null(parameter)
            responses = operation["responses"]
            for status, response in responses.items():
                if "$ref" in response:
                    responses[status] = {"$ref": response["$ref"]}
    app.openapi_schema = document
    return document


if __name__ == "__main__":
    import json
    import sys

    from hub.api.app import routes_only

    sys.stdout.write(json.dumps(build(routes_only()), ensure_ascii=False, indent=1, sort_keys=True) + "\n")
