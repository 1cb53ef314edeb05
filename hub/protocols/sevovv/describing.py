"""The WSDL of the service, made from the table of ``wire``: one document, official names, schemas inside."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from hub.protocols.sevovv.wire import ACTION, ARRAYS, CONTRACTS, ENUMS, LISTS, OPERATIONS, SERVICE, TYPES

_SIMPLE = frozenset({"string", "int", "long", "dateTime", "base64Binary"})
_NILLABLE = frozenset({"string", "base64Binary"})
_PORT = "ICoverIntegrationService"


def wsdl(address: str) -> bytes:
    """WSDL 1.1 with SOAP 1.1, document/literal; ``address``: where the service is called."""
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<wsdl:definitions name="IntegrationService" targetNamespace="http://tempuri.org/" '
        'xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" '
        f'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:tns="{SERVICE}" xmlns:c="{CONTRACTS}" '
        f'xmlns:a="{ARRAYS}">\n<wsdl:types>\n{_arrays()}{_contracts()}{_service()}</wsdl:types>\n'
        f"{''.join(map(_messages, OPERATIONS))}"
        '<wsdl:message name="CommunicationError"><wsdl:part name="detail" element="c:CommunicationError"/>'
        "</wsdl:message>\n"
        f'<wsdl:portType name="{_PORT}">\n{"".join(map(_operation, OPERATIONS))}</wsdl:portType>\n'
        f'<wsdl:binding name="DefaultBinding_{_PORT}" type="tns:{_PORT}">\n'
        '<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>\n'
        f"{''.join(map(_bound, OPERATIONS))}</wsdl:binding>\n"
        f'<wsdl:service name="IntegrationService"><wsdl:port name="{_PORT}" '
        f'binding="tns:DefaultBinding_{_PORT}"><soap:address location={quoteattr(address)}/></wsdl:port>'
        "</wsdl:service>\n</wsdl:definitions>\n"
    )
    return text.encode()


def _schema(space: str, content: str, *imports: str) -> str:
    brought = "".join(f'<xs:import namespace="{each}"/>' for each in imports)
    return f'<xs:schema elementFormDefault="qualified" targetNamespace="{space}">{brought}\n{content}</xs:schema>\n'


def _arrays() -> str:
    return _schema(
        ARRAYS,
        '<xs:complexType name="ArrayOflong"><xs:sequence><xs:element name="long" type="xs:long" minOccurs="0" '
        'maxOccurs="unbounded"/></xs:sequence></xs:complexType>\n',
    )


def _contracts() -> str:
    enums = "".join(
        f'<xs:simpleType name="{name}"><xs:restriction base="xs:string">'
        + "".join(f'<xs:enumeration value="{value}"/>' for value in values)
        + "</xs:restriction></xs:simpleType>\n"
        for name, values in ENUMS.items()
    )
    types = "".join(
        f'<xs:complexType name="{name}"><xs:sequence>'
        + "".join(_element(member, kind) for member, kind in members)
        + f'</xs:sequence></xs:complexType>\n<xs:element name="{name}" nillable="true" type="c:{name}"/>\n'
        for name, members in TYPES.items()
    )
    lists = "".join(
        f'<xs:complexType name="{name}"><xs:sequence><xs:element name="{item}" type="c:{item}" nillable="true" '
        'minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType>\n'
        for name, (item, space) in LISTS.items()
        if space == CONTRACTS
    )
    return _schema(CONTRACTS, enums + types + lists)


def _service() -> str:
    content = ""
    for name, operation in OPERATIONS.items():
        arguments = "".join(_element(argument, kind) for argument, kind in operation.arguments)
        result = _element(f"{name}Result", operation.result)
        for element, members in ((name, arguments), (f"{name}Response", result)):
            inner = f"<xs:complexType><xs:sequence>{members}</xs:sequence></xs:complexType>"
            content += f'<xs:element name="{element}">{inner}</xs:element>\n'
    return _schema(SERVICE, content, CONTRACTS, ARRAYS)


def _element(name: str, kind: str) -> str:
    prefix = "xs" if kind in _SIMPLE else "a" if LISTS.get(kind, ("", ""))[1] == ARRAYS else "c"
    nillable = ' nillable="true"' if kind in _NILLABLE or kind in TYPES or kind in LISTS else ""
    return f'<xs:element name="{name}" type="{prefix}:{kind}" minOccurs="0"{nillable}/>'


def _messages(name: str) -> str:
    return "".join(
        f'<wsdl:message name="{name}_{way}"><wsdl:part name="parameters" element="tns:{name}{ending}"/>'
        "</wsdl:message>\n"
        for way, ending in (("Input", ""), ("Output", "Response"))
    )


def _operation(name: str) -> str:
    return (
        f'<wsdl:operation name="{name}"><wsdl:input message="tns:{name}_Input"/>'
        f'<wsdl:output message="tns:{name}_Output"/>'
        '<wsdl:fault name="CommunicationErrorFault" message="tns:CommunicationError"/></wsdl:operation>\n'
    )


def _bound(name: str) -> str:
    return (
        f'<wsdl:operation name="{name}"><soap:operation soapAction="{ACTION}{name}" style="document"/>'
        '<wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output>'
        '<wsdl:fault name="CommunicationErrorFault"><soap:fault name="CommunicationErrorFault" use="literal"/>'
        "</wsdl:fault></wsdl:operation>\n"
    )
