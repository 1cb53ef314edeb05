"""The mistakes, by the headings of docs/operations/mistakes.md."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.mistakes.mistake import Mistake

_TESTS: Final = """          tests:
            - name: registered
              answer: {id: x, state: 1, document: 7, number: 5/26, date: 01.12.2026}
              means: {status: registered, echo: x, id: "7", number: 5/26, date: "2026-12-01"}
"""
"""The tests beside the template: without them a slip shows only over the network."""

_template = partial(Mistake, base="template")
_probe = partial(Mistake, base="template", seen="probe")
_try = partial(Mistake, base="template", seen="try", also=((_TESTS, ""),))

_tls = partial(Mistake, base="tls", seen="probe")
_sftp = partial(Mistake, base="sftp", seen="probe")
_smtp = partial(Mistake, base="smtp", seen="probe")
_imap = partial(Mistake, base="imap", seen="probe")

_CLIENT_CERT: Final = '        client_cert: {cert: "file:<DIR>/client.pem", key: "file:<DIR>/client.pem"}\n'
FILE: Final = (
    _template(title="digits without quotes", old='authority: "00032106"', new="authority: 00032106"),
    _template(title="a tab", old="          request:", new="\t\trequest:", at="\t\trequest:"),
    _template(title="an indentation that is off", old="          answer:", new="         answer:", at="answer:"),
    _template(title="a colon without a blank", old="number: number", new="number:number", at="number:number"),
    _template(title="a key twice", old="            echo: id", new="            echo: id\n            echo: id"),
    _template(title="yes in place of true", old="allow_http: true", new="allow_http: yes"),
    _template(title="a section with a wrong name", old="channels:", new="chanels:"),
    _template(title="an authority that is not there", old='"00032106"', new='"00032107"'),
    _template(title="an id of another form", old="id: 00032106.edms", new="id: Банк EDMS"),
    _template(title="a wrong adapter", old="adapter: rest", new="adapter: http"),
    _template(title="a wrong dialect", old="dialect: template", new="dialect: templates"),
    _template(title="a key with a slip of the pen", old="allow_private:", new="allow_privat:"),
    _template(title="a key with a Cyrillic letter", old="receipt:", new="rеceipt:"),
    _template(title="a lane's key with a slip", old="deadline_secs:", new="deadline_sec:", at="lane:"),
)
SETTINGS: Final = (
    _template(title="`allow_http` is missing", old="        allow_http: true\n", new=""),
    _template(title="a URL without its scheme", old="url: http://", new="url: "),
    _template(title="a password in the URL", old="url: http://", new="url: http://hub:secret@"),
    _template(title="`{…}` in `url`", old="/in\n", new="/in/{message_id}\n"),
    _template(title="an unknown `{…}` in `status_url`", old="{external_id}", new="{ext_id}"),
    _template(title="`status_url` names no message", old="/{external_id}", new=""),
    _template(title="`receipt: poll` without `status_url`", old="status_url:", new="#", at="receipt:"),
    _template(title="the token itself, not a reference", old='"file:<DIR>/token"', new="abcdef"),
    _template(title="a reference to a relative path", old="file:<DIR>/token", new="file:./token"),
    _template(title="an unknown kind of credential", old="type: bearer", new="type: barer", at="auth:"),
    _template(title="a network that is none", old="127.0.0.1/32", new="127.0.0.1/99", at="allow_private:"),
    _tls(
        title="`mtls` without `client_cert`",
        old="        client_cert:",
        new="        auth: {type: mtls} #",
        seen="check",
        at="settings:",
    ),
    _sftp(title="a folder with `..`", old="inbox: <DIR>/in", new="inbox: ../in", seen="check"),
    _sftp(
        title="a host key with its host before it",
        old='["<HOST_KEY>"]',
        new='["edms.example.org <HOST_KEY>"]',
        seen="check",
        at="host_keys",
    ),
    _sftp(
        title="neither key nor password", old="        key: file:<DIR>/user_key\n", new="", seen="check", at="settings:"
    ),
    _smtp(title="mail as a registered way", old="      legal_class: delivered\n", new="", seen="check", at="channel:"),
    _smtp(title="a password without TLS", old="security: tls", new="security: none", seen="check", at="smtp:"),
    _smtp(title="no addressee", old="to: [rada@gromada.example.org]", new="to: []", seen="check", at="settings:"),
)
MAPPING: Final = (
    _template(title="a place that no envelope has", old="$body.text", new="$body.txt"),
    _template(title="a member of a file with a slip", old="$item.name", new="$item.nama", at="files:"),
    _template(title="a rule's key with a slip", old="join:", new="joyn:", at="topics:"),
    _template(title="a word that is never said", old="complaint: 3", new="complain: 3", at="kind:", row=1),
    _template(title="a word without a translation", old=", complaint: 3", new="", at="kind:"),
    _template(
        title="a pattern of a date that is none",
        old='date: "%d.%m.%Y"}\n            kind',
        new='date: "%d.%m.%Q"}\n            kind',
        at="received:",
    ),
    _template(
        title="`leaves_out` names nothing", old="leaves_out: [channel", new="leaves_out: [chanel", at="leaves_out:"
    ),
    _template(title="a status that is no word of ours", old='"1": registered', new='"1": registred', at="status:"),
    _template(
        title="a fixed status that is none",
        old='{path: state, values: {"1": registered, "7": refused}}',
        new="registred",
        at="status:",
    ),
    _template(
        title="a pattern that names no day",
        old='date: "%d.%m.%Y"}\n          poll',
        new='date: "%m.%Y"}\n          poll',
        at="date:",
    ),
    _template(title="a place in their answer, with a test", old="number: number", new="number: nomer", at="means:"),
    _template(
        title="a place in their answer, without a test",
        old=_TESTS,
        new="",
        row=1,
    ),
    _template(title="something that an appeal can say has no place", old="applicant]", new="applicant.name]"),
)
NETWORK: Final = (
    _probe(title="a wrong port", old="url: http://127.0.0.1:<HTTP>", new="url: http://127.0.0.1:<NOBODY>"),
    _probe(title="a host that is not there", old="url: http://127.0.0.1:<HTTP>", new="url: http://edms.nosuch.invalid"),
    _probe(title="`allow_private` is missing", old='        allow_private: ["127.0.0.1/32"]\n', new=""),
    _probe(
        title="a port where nobody answers",
        old="      lane: {deadline_secs: 20}\n      settings:\n        url: http://127.0.0.1:<HTTP>",
        new="      lane: {deadline_secs: 1}\n      settings:\n        url: http://127.0.0.1:<MUTE>",
    ),
    _probe(title="the port of another service", old="url: http://127.0.0.1:<HTTP>", new="url: http://127.0.0.1:<SMTP>"),
    _probe(title="http to a port of TLS", old="url: http://127.0.0.1:<HTTP>", new="url: http://127.0.0.1:<TLS>"),
    _probe(
        title="a proxy that is not there",
        old="        receipt: poll\n",
        new="        proxy: {url: http://127.0.0.1:<NOBODY>}\n        receipt: poll\n",
        at="proxy:",
    ),
    _tls(title="https to a port without TLS", old="<TLS>", new="<HTTP>"),
    _tls(title="an issuer whom the channel does not trust", old="<TLS>", new="<STRANGER>"),
    _tls(title="a certificate that has expired", old="<TLS>", new="<EXPIRED>"),
    _tls(title="a certificate for another name", old="<TLS>", new="<NAMED>"),
    _tls(
        title="a client certificate of another issuer",
        old="<TLS>",
        new="<MTLS>",
        also=((_CLIENT_CERT, _CLIENT_CERT.replace("client.pem", "stranger.pem")),),
    ),
    _tls(title="no client certificate where one is wanted", old="<TLS>", new="<MTLS>", also=((_CLIENT_CERT, ""),)),
    _tls(
        title="the key of another certificate",
        old='key: "file:<DIR>/client.pem"',
        new='key: "file:<DIR>/another.pem"',
        at="client_cert:",
    ),
    _tls(
        title="a key with a password",
        old='key: "file:<DIR>/client.pem"',
        new='key: "file:<DIR>/locked.pem"',
        at="client_cert:",
    ),
    _tls(title="`ca_file` that is no certificate", old="Test-CA.pem", new="garbage.pem"),
    _tls(title="`ca_file` that is not there", old="Test-CA.pem", new="nowhere.pem"),
)
CREDENTIALS: Final = (
    _probe(title="a file that is not there", old="<DIR>/token", new="<DIR>/tokn", at="auth:"),
    _probe(title="a file that everybody may read", old="<DIR>/token", new="<DIR>/open.token", at="auth:"),
    _probe(title="a variable that is not set", old="file:<DIR>/token", new="env:NO_SUCH_TOKEN", at="auth:"),
    _probe(title="a file of two lines", old="<DIR>/token", new="<DIR>/two-lines.token", at="auth:"),
    _probe(title="a wrong token", old="<DIR>/token", new="<DIR>/wrong.token"),
    _try(title="a wrong token, tried", old="<DIR>/token", new="<DIR>/wrong.token"),
)
ANSWERS: Final = (
    _probe(title="a wrong path, asked", old="/in\n", new="/im\n"),
    _probe(title="a path that redirects", old="/in\n", new="/moved\n"),
    _try(title="a wrong path", old="/in\n", new="/im\n"),
    _try(title="a path that redirects, tried", old="/in\n", new="/moved\n"),
    _try(title="a page for people", old="/in\n", new="/page\n"),
    _try(title="a system that is busy", old="/in\n", new="/busy\n"),
    _try(title="a system that fails", old="/in\n", new="/broken\n"),
    _try(title="credentials that allow nothing", old="/in\n", new="/forbidden\n"),
    _try(
        title="a request that they refuse",
        old='date: "%d.%m.%Y"}\n            kind',
        new='date: "%Y-%m-%d"}\n            kind',
    ),
    _try(title="`echo` at a wrong place, without a test", old="echo: id", new="echo: requestId"),
    _try(
        title="`status` at a wrong place",
        old='status: {path: state, values: {"1"',
        new='status: {path: stan, values: {"1"',
    ),
    _try(title="a word of theirs that has no translation", old='"1": registered', new='"2": registered'),
    _try(title="`number` at a wrong place", old="number: number", new="number: nomer"),
    _try(
        title="a date that is written otherwise",
        old='date: "%d.%m.%Y"}\n          poll',
        new='date: "%Y-%m-%d"}\n          poll',
    ),
    _try(title="the appeal says what has no place", old="applicant]", new="applicant.name]"),
)
SFTP: Final = (
    _sftp(title="a wrong port", old="port: <SFTP>", new="port: <NOBODY>", at="host:"),
    _sftp(title="the port of another service", old="port: <SFTP>", new="port: <SMTP>"),
    _sftp(title="another host key", old="<HOST_KEY>", new="<OTHER_HOST_KEY>"),
    _sftp(title="a user whom the server does not know", old="user: <USER>", new="user: nobody-here"),
    _sftp(title="a key that is none", old="user_key", new="garbage.pem"),
    _sftp(title="a key that is not there", old="user_key", new="nowhere"),
    _sftp(title="a folder that is not there", old="inbox: <DIR>/in", new="inbox: <DIR>/inn"),
    _sftp(title="an outbox that is not there", old="outbox: <DIR>/out", new="outbox: <DIR>/uot"),
    _sftp(
        title="a server that lets nothing be written",
        old="port: <SFTP>",
        new="port: <READ_ONLY>",
        also=(("user_key", "read-only/user_key"), ("<HOST_KEY>", "<READ_ONLY_KEY>")),
        at="settings:",
    ),
)
MAIL: Final = (
    _smtp(title="SMTP: a wrong port", old="<SMTPS>", new="<NOBODY>", at="host:"),
    _smtp(title="SMTP: TLS to a port that begins without", old="<SMTPS>", new="<SMTP>", at="smtp:"),
    _smtp(
        title="SMTP: a port that begins with TLS, without TLS",
        old="security: tls",
        new="security: starttls",
        at="smtp:",
    ),
    _smtp(
        title="SMTP: no STARTTLS there",
        old="<SMTPS>\n          security: tls",
        new="<SMTP>\n          security: starttls",
    ),
    _smtp(title="SMTP: a wrong password", old="<DIR>/password", new="<DIR>/wrong.password"),
    _smtp(title="SMTP: an issuer whom the channel does not trust", old="Test-CA", new="Other-CA", at="smtp:"),
    _smtp(title="SMTP: an address that is not there", old="<SMTPS>", new="<OPEN>", seen="try"),
    _smtp(title="SMTP: an address that may not send", old="<SMTPS>", new="<STRICT>", seen="try"),
    _smtp(title="a reply key that is too short", old="reply.key", new="short.key", seen="try"),
    _smtp(
        title="an S/MIME certificate of another key",
        old="        content: full\n",
        new='        content: full\n        smime: {cert: <DIR>/another.pem, key: "file:<DIR>/client.pem"}\n',
        seen="try",
        at="smime:",
    ),
    _smtp(
        title="an S/MIME key with a password",
        old="        content: full\n",
        new='        content: full\n        smime: {cert: <DIR>/another.pem, key: "file:<DIR>/locked.pem"}\n',
        seen="try",
        at="smime:",
    ),
    _smtp(
        title="`encrypt_to` that is not there",
        old="        content: full\n",
        new="        content: full\n        encrypt_to: <DIR>/nowhere.pem\n",
        seen="try",
    ),
    _imap(title="IMAP: a wrong port", old="<IMAPS>", new="<NOBODY>", at="host:"),
    _imap(title="IMAP: TLS to a port that begins without", old="<IMAPS>", new="<SMTP>", at="imap:"),
    _imap(title="IMAP: a wrong password", old="<DIR>/password", new="<DIR>/wrong.password"),
    _imap(
        title="IMAP: a folder that is not there",
        old="          user: hub",
        new="          folder: INBOKS\n          user: hub",
    ),
)
SOAP: Final = (
    Mistake(
        title="a folder that is not there", base="wsdl", old="folder: <DIR>/wsdl", new="folder: <DIR>/wsdll", at="wsdl:"
    ),
    Mistake(title="a file that was changed after pinning", base="wsdl", old="<PIN>", new="0" * 64, at="wsdl:"),
    Mistake(
        title="an operation that is not there",
        base="wsdl",
        old='<DIR>/wsdl, sha256: "<PIN>"',
        new='<DIR>/no-operation, sha256: "<PIN_NO_OPERATION>"',
        at="wsdl:",
    ),
    Mistake(
        title="a WSDL that is no XML",
        base="wsdl",
        old='<DIR>/wsdl, sha256: "<PIN>"',
        new='<DIR>/no-xml, sha256: "<PIN_NO_XML>"',
        at="wsdl:",
    ),
    Mistake(
        title="a mapping with a slip",
        base="wsdl",
        old='<DIR>/wsdl, sha256: "<PIN>"',
        new='<DIR>/slip, sha256: "<PIN_SLIP>"',
        at="wsdl:",
    ),
    Mistake(
        title="a value that is not of its type",
        base="wsdl",
        old='<DIR>/wsdl, sha256: "<PIN>"',
        new='<DIR>/type, sha256: "<PIN_TYPE>"',
        at="wsdl:",
    ),
    Mistake(
        title="a member that the operation does not have",
        base="wsdl",
        old='<DIR>/wsdl, sha256: "<PIN>"',
        new='<DIR>/member, sha256: "<PIN_MEMBER>"',
        at="wsdl:",
    ),
    Mistake(title="a fault over the credentials", base="wsdl", old="url", new="url", seen="try"),
)
HOOKS: Final = (
    Mistake(title="a key with a slip", base="hooks", old="secrets:", new="secret:", seen="doctor"),
    Mistake(title="a secret that is not there", base="hooks", old="hook.key", new="hok.key", seen="doctor"),
    Mistake(title="a secret of another form", base="hooks", old="hook.key", new="token", seen="doctor"),
    Mistake(title="a URL without TLS", base="hooks", old="https://", new="http://", seen="doctor"),
)
GROUPS: Final = {
    "The file": FILE,
    "The channel's settings": SETTINGS,
    "The mapping": MAPPING,
    "The way there": NETWORK,
    "Secrets": CREDENTIALS,
    "What they answer": ANSWERS,
    "SFTP": SFTP,
    "Mail": MAIL,
    "SOAP": SOAP,
    "Webhooks": HOOKS,
}
