"""A channel must not claim more than its way can prove."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.adapters import table
from hub.errors import RegistryRefused
from hub.schemas.directory import Channel, LegalClass
from registry import load
from tests.adapters.email.making import box_channel, out_channel
from tests.registry.builders import write


def folder(tmp_path: Path, channel: Channel) -> Path:
    """A registry of one body with one channel."""
    entry = json.loads(channel.model_dump_json(exclude_none=True))
    authority = {"code": "00032106", "name": "Громада", "kind": "other", "channels": [entry]}
    return write(tmp_path, bodies=json.dumps({"authorities": [authority]}, ensure_ascii=False))


def test_mail_that_claims_registration_is_refused(tmp_path: Path) -> None:
    """CMU 55/2018 item 32: the registry names the fault before anything is sent; honest channels load."""
    claims = out_channel().model_copy(update={"legal_class": LegalClass.REGISTERED})
    with pytest.raises(RegistryRefused) as caught:
        load(folder(tmp_path, claims), table())
    assert [fault.code for fault in caught.value.faults] == ["registry.channel.legal_class"]
    load(folder(tmp_path, out_channel()), table())
    load(folder(tmp_path, box_channel(pickup="/var/spool/hub")), table())
