"""Data minimisation: the form as an authority gets it, without what is the contact centre's own. Pure.

The centre's own: the call with its number, operator and recording, the evidence of an identity, an answer that the
centre gave. It is kept in the message in which the appeal came in, which no authority can ask for.
"""

from __future__ import annotations

from hub.schemas.centre import Call
from hub.schemas.envelope import AppealForm
from hub.schemas.terms import RecordingAccess


def has_own(form: AppealForm) -> bool:
    """True if the form says more than an authority gets."""
    return minimised(form) is not form


def minimised(form: AppealForm) -> AppealForm:
    """The form without the centre's own; the same object if it has none.

    Of a call whose recording the centre opened to the authority, the beginning and the recording stay.
    """
    changes: dict[str, object] = {}
    if form.call is not None and form.call != _told(form.call):
        changes["call"] = _told(form.call)
    if form.identity is not None and form.identity.evidence is not None:
        changes["identity"] = form.identity.model_copy(update={"evidence": None})
    if form.answered is not None:
        changes["answered"] = None
    return form.model_copy(update=changes) if changes else form


def _told(call: Call) -> Call | None:
    recording = call.recording
    if recording is None or recording.access is not RecordingAccess.AUTHORITY:
        return None
    return Call(began_at=call.began_at, recording=recording)
