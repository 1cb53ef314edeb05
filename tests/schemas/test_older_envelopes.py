"""Envelopes that were written before the form grew: kept byte for byte, since seals and digests stand on the bytes."""

from __future__ import annotations

from hub.schemas.json_rendering import digest, from_json, to_json
from hub.schemas.xml_rendering import from_xml, to_xml

DIGEST = "fa1f813ba8a89e5c2bc53405650ef7042699b7de7a88a6111c1ead98b37889b9"
AS_JSON = (
    '{"body":{"about":["00032106"],"addressee":{"code":"04055896","kind":"local_self_government"},"applicant":{"address":'
    '{"text":"м. Львів"},"collective_name":"Мешканці","name":{"given":"Олена","surname":"Коваленко"},"signatories":12,'
    '"type":"collective"},"channel":"phone","kind":"complaint","operator_notes":"Передзвонити.","received_at":'
    '"2026-11-24T08:00:00.000Z","reference":"ЗВ-1","reply_by":["phone"],"sign":"primary","text":"Немає води.","topics":'
    '["utilities.water"]},"header":{"case_id":"01a20b81-03bb-750a-9233-5feeccd8d436","created_at":'
    '"2026-11-24T08:00:05.123Z","due":{"answer":"2026-12-24"},"message_id":"01a20b81-03bb-750a-9233-5fedcaa8a28c",'
    '"priority":"normal","recipient":{"code":"04055896"},"role":"main","sender":{"code":"36521731"}},"kind":"appeal",'
    '"version":"1.0"}'
).encode()
AS_XML = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    f'<envelope xmlns="urn:ua:appeal-hub:envelope:1" version="1.0" jcs-sha256="{DIGEST}"><header><message_id>'
    "01a20b81-03bb-750a-9233-5fedcaa8a28c</message_id><case_id>01a20b81-03bb-750a-9233-5feeccd8d436</case_id><created_at>"
    "2026-11-24T08:00:05.123Z</created_at><sender><code>36521731</code></sender><recipient><code>04055896</code>"
    "</recipient><role>main</role><priority>normal</priority><due><answer>2026-12-24</answer></due></header><appeal>"
    "<channel>phone</channel><kind>complaint</kind><sign>primary</sign><received_at>2026-11-24T08:00:00.000Z</received_at>"
    "<reference>ЗВ-1</reference><applicant><type>collective</type><name><surname>Коваленко</surname><given>Олена</given>"
    "</name><collective_name>Мешканці</collective_name><signatories>12</signatories><address><text>м. Львів</text>"
    "</address></applicant><topics><item>utilities.water</item></topics><text>Немає води.</text><addressee><code>"
    "04055896</code><kind>local_self_government</kind></addressee><about><item>00032106</item></about><reply_by><item>phone</item>"
    "</reply_by><operator_notes>Передзвонити.</operator_notes></appeal></envelope>"
).encode()


def test_an_older_envelope_keeps_its_bytes_and_its_digest() -> None:
    """Both renderings as an earlier hub wrote them are read, are one message, and are written again byte for byte."""
    envelope = from_json(AS_JSON)
    assert from_xml(AS_XML) == envelope
    assert (to_json(envelope), to_xml(envelope), digest(envelope)) == (AS_JSON, AS_XML, DIGEST)
