"""Test messages made ready for a channel, and shown: what the commands of ``hub channel`` have in common."""

from __future__ import annotations

import email
import email.policy
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from hub import adapters
from hub.adapters import AdapterContext
from hub.adapters.mapping_check import near
from hub.bootstrap import Hub
from hub.errors import InvalidInput, NotFound
from hub.net import secret_marks
from hub.ports import Adapter, Attachments, Outlined, Parcel, Prepared, ShownCall, Stepped
from hub.schemas import charsets, strict_json
from hub.schemas.directory import Authority, Channel
from hub.schemas.envelope import AppealForm, Attachment, Party
from hub.storage.attachments import MemoryAttachments
from hub.workbench import messages
from hub.workbench.samples import Sample, sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A channel with what belongs to it."""

    authority: Authority
    channel: Channel
    adapter: Adapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Content of a test message. ``attachments``: its manifest; ``files``: where their bytes are."""

    form: AppealForm
    attachments: tuple[Attachment, ...] = ()
    files: Attachments | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A test message that could go out now."""

    target: Target
    parcel: Parcel
    prepared: Prepared

    def outline(self) -> tuple[str, ...]:
        """Lines that go before the bytes."""
        adapter = self.target.adapter
        return adapter.outline(self.prepared, self.target.channel) if isinstance(adapter, Outlined) else ()

    def calls(self) -> Sequence[ShownCall]:
        """Its calls, if it takes several."""
        adapter = self.target.adapter
        return adapter.calls(self.prepared, self.target.channel) if isinstance(adapter, Stepped) else ()

    def body(self) -> str:
        """Bytes as text; of several calls each by itself, under its line."""
        calls = self.calls()
        return "\n\n".join(map(_call, calls)) if calls else shown(self.prepared)


def _call(call: ShownCall) -> str:
    lines = (f"── {call.name}", f"{call.method} {call.url}", f"Content-Type: {call.content_type}", "", call.body)
    return "\n".join(lines)


def target(hub: Hub, channel_id: str, files: Attachments | None = None) -> Target:
    """The channel of this id. ``NotFound`` (``channel.unknown``). ``files``: what the adapter may send along."""
    entry = hub.registry.current().channel(channel_id)
    if entry is None:
        known = [channel.id for _, channel in hub.registry.current().channels()]
        raise NotFound(
            f"The registry has no channel with this id; {near(channel_id, known)}".rstrip("; ") + ".",
            code="channel.unknown",
            action="`hub registry show CODE` lists the channels of an authority.",
        )
    adapter = adapters.adapter(entry[1].adapter, AdapterContext(attachments=files))
    return Target(authority=entry[0], channel=entry[1], adapter=adapter)


def topics_of(authority: Authority) -> list[str]:
    """Topics that an authority decides about; ``other`` where none is named."""
    return [t for c in authority.competences for t in c.topics if t != "*"] or ["other"]


def made_up(hub: Hub, channel_id: str) -> Material:
    """A made-up appeal about what the channel's authority decides."""
    from hub.simulator.appeals import generate

    topics = topics_of(target(hub, channel_id).authority)
    return Material(form=next(iter(generate(1, seed=1, topics=topics, places=[]))))


def of_sample(shown: Sample) -> Material:
    """A sample with its files."""
    store = MemoryAttachments()
    for content in shown.files:
        store.put(io.BytesIO(content), limit=len(content))
    return Material(form=shown.form, attachments=shown.attachments, files=store)


def named_sample(hub: Hub, channel_id: str, name: str) -> Material:
    """The sample of this name, about what the channel's authority decides. ``InvalidInput`` (``sample.unknown``)."""
    return of_sample(sample(name, topics_of(target(hub, channel_id).authority)))


def of_file(file: Path) -> Material:
    """A form as ``POST /v1/appeals`` takes it. ``InvalidInput`` (``appeal.invalid``) names what is wrong."""
    try:
        data = file.read_bytes()
        strict_json.parse(data)  # what pydantic would pass over, such as a member that stands twice
        return Material(form=AppealForm.model_validate_json(data))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise InvalidInput(f"The file is no appeal: {wrong}.", code="appeal.invalid") from None


def ready(hub: Hub, channel_id: str, material: Material) -> Ready:
    """The exact bytes of a test over a channel. ``UnsupportedFeature`` for what it cannot say."""
    to = target(hub, channel_id, material.files)
    envelope = messages.message(
        material.form,
        sender=Party(code=hub.settings.party_code, name=hub.settings.party_name),
        recipient=Party(code=to.authority.code, name=to.authority.name),
        now=hub.clock.now(),
        attachments=material.attachments,
    )
    parcel = messages.parcel(envelope, to.adapter.rendering(to.channel), hub.seal, hub.settings.base_url)
    return Ready(target=to, parcel=parcel, prepared=to.adapter.prepare(parcel, to.channel))


def shown(prepared: Prepared) -> str:
    """The body as text; an archive or a mail as its parts, one under the other."""
    if prepared.content_type == "message/rfc822":
        return _mail(prepared.body)
    if prepared.content_type != "application/zip":
        return secret_marks.shown(prepared.body.decode("utf-8", "backslashreplace"))
    with zipfile.ZipFile(io.BytesIO(prepared.body)) as archive:
        parts = [(name, _text(archive.read(name))) for name in archive.namelist()]
    return "\n".join(f"── {name}\n{text}" for name, text in parts)


def _text(data: bytes) -> str:
    """A part as text: as it is in UTF-8, or in the charset that its declaration or its letters show."""
    text = charsets.read(data, charsets.declared(data))
    return data.decode("utf-8", "backslashreplace") if text is None else text


def _mail(body: bytes) -> str:
    """A mail's headers, and its text parts decoded."""
    mail = email.message_from_bytes(body, policy=email.policy.default)
    told = [f"{name}: {value}" for name, value in mail.items()]
    for part in mail.walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            text = _text(content) if isinstance(content, bytes) else ""
            told += [f"── {part.get_content_type()} {part.get_filename('')}".rstrip(), text]
    return "\n".join(told)
