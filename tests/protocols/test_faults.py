"""Faults: what their codes ask for, what of their words is shown, and in which odd forms they are read."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocols.faults import FaultClass, classify, hide
from hub.protocols.soap.wire import SOAP11, SOAP12, fault_of, read_envelope

ANSWERED = ("Server.ServerProxy.ServiceFailed", "server.serverproxy.service_failed")
INNER = ("MissingHeaderField", "MissingHeader", "InvalidSoap", "InvalidXml", "MissingBody", "InvalidContentType", "New")
WORDS = st.text("абвгґєіїйклмнопрстуАБВГ", min_size=4, max_size=12)
VALUES = st.text(min_size=1, max_size=40).filter(str.isprintable)


@pytest.mark.parametrize("path", ANSWERED)
@pytest.mark.parametrize("inner", INNER)
def test_what_is_wrong_with_the_service_s_answer_is_unknown(path: str, inner: str) -> None:
    """X-Road's ServiceFailed.*: the service may have taken the message, whatever its answer lacked."""
    assert classify(f"{path}.{inner}") is FaultClass.RETRY
    assert classify(f"Client.{inner}") is FaultClass.PERMANENT


@pytest.mark.parametrize(
    "path",
    [
        "Client.Authentication",
        "Sender.Unauthorized",
        "Server.Unauthenticated",
        "Client.AuthenticationFailed",
        "Server.ServerProxy.ServiceFailed.AccessDenied",
        "Client.not_authorized",
    ],
)
def test_who_we_are_is_an_operator_s_matter(path: str) -> None:
    """No message is dead because a password ran out."""
    assert classify(path) is FaultClass.OPERATOR


def soap(body: str, space: str = SOAP11) -> bytes:
    """An envelope around this."""
    return f'<s:Envelope xmlns:s="{space}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


FORM_11 = "<{0}faultcode>s:Client</{0}faultcode><{0}faultstring>Поле зайве</{0}faultstring>"
FORM_12 = "<{0}Code><{0}Value>s:Client</{0}Value></{0}Code><{0}Reason><{0}Text>Поле зайве</{0}Text></{0}Reason>"


@pytest.mark.parametrize("space", [SOAP11, SOAP12])
@pytest.mark.parametrize("form", [FORM_11, FORM_12])
@pytest.mark.parametrize("prefix", ["", "s:"])
@pytest.mark.parametrize("name", ["Fault", "s:Fault"])
def test_a_fault_is_read_in_every_form(space: str, form: str, prefix: str, name: str) -> None:
    """Of either version, in either envelope, with and without a namespace: code and reason are not lost."""
    fault = fault_of(read_envelope(soap(f"<{name}>{form.format(prefix)}</{name}>", space)))
    assert fault is not None
    assert (fault.code, fault.reason) == ("Client", "Поле зайве")


def test_a_fault_of_another_namespace_is_none() -> None:
    """An element that is only called so is an answer."""
    assert fault_of(read_envelope(soap('<x:Fault xmlns:x="urn:x"><faultcode>1</faultcode></x:Fault>'))) is None


@given(st.lists(WORDS, min_size=1, max_size=5), st.sampled_from(["xml", "attribute", "json", "base64", "jws", "text"]))
def test_no_word_of_a_value_is_shown(words: list[str], form: str) -> None:
    """Whatever we sent it in: in elements, attributes, JSON, base64 of either, or as mere text."""
    value = " ".join(words)
    inner = json.dumps({"text": f"x {value}", "list": [value]}, ensure_ascii=False)
    long = base64.b64encode(f"<text>{value} and more of it, so that it is long</text>".encode()).decode()
    sent = {
        "xml": f"<m:message xmlns:m='urn:meta'><m:text>{value}</m:text></m:message>",
        "attribute": f"<message subject='{value}'/>",
        "json": inner,
        "base64": f"<message>{long}</message>",
        "jws": f"<message>e30.{base64.urlsafe_b64encode(inner.encode()).decode().rstrip('=')}.sig</message>",
        "text": f"<{value}> no XML, no JSON: {value}",
    }[form]
    shown = hide(f"Element message: '{value}' is not allowed", sent.encode())
    assert not any(word in shown for word in words)


@given(VALUES)
def test_any_value_that_is_written_as_xml_is_hidden(value: str) -> None:
    """Markup inside values hides nothing from the guard: what is escaped, or stands in CDATA, is a value."""
    for sent in (f"<a><![CDATA[<{value}>]]></a>", json.dumps({"text": f"<{value}>"}, ensure_ascii=False)):
        long = [word for word in value.split() if word.isalnum() and len(word) >= 4]
        shown = hide(" ".join(long), sent.encode())
        assert not any(word in shown for word in long)


SENT = (
    '<s:Envelope xmlns:s="urn:s" xmlns:e="urn:edms"><s:Body><e:Register xsi:type="e:RegisterType">'
    "<e:requestId>ID</e:requestId><e:text>Немає води</e:text></e:Register></s:Body></s:Envelope>"
)


@pytest.mark.parametrize(
    "reason",
    [
        "cvc-complex-type.2.4.a: Invalid content was found starting with element '{\"urn:edms\":text}'.",
        "The element 'text' in namespace 'urn:edms' has invalid child element 'requestId'.",
        "Operation Register is not allowed for this user: RegisterType.",
    ],
)
def test_names_of_the_description_are_shown(reason: str) -> None:
    """Elements, namespaces, types and operations are nobody's data, and all that an operator has to go by."""
    assert hide(reason, SENT.encode()) == reason
    assert hide(f"{reason} 'Немає води'", SENT.encode()) == f"{reason} '… …'"
