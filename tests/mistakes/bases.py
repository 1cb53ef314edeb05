"""Sound channels, one of each kind, in which mistakes are made. ``<NAME>`` is filled in by the world."""

from __future__ import annotations

from typing import Final

HEAD: Final = """channels:
  - authority: "00032106"
    channel:
      id: 00032106.edms
"""
TEMPLATE: Final = (
    HEAD
    + """      adapter: rest
      dialect: template
      lane: {deadline_secs: 20}
      settings:
        url: http://127.0.0.1:<HTTP>/in
        allow_http: true
        allow_private: ["127.0.0.1/32"]
        auth: {type: bearer, token: "file:<DIR>/token"}
        receipt: poll
        status_url: http://127.0.0.1:<HTTP>/in/{external_id}
        template:
          leaves_out: [channel, sign, reply_by, reference, subject, place, operator_notes, applicant]
          request:
            id: $message_id
            received: {$from: $body.received_at, date: "%d.%m.%Y"}
            kind: {$from: $body.kind, values: {application: 1, proposal: 2, complaint: 3}}
            topics: {$from: $body.topics, join: ", "}
            text: $body.text
            files: {$each: $attachments, as: {name: $item.name, content: $item.content}}
          answer:
            status: {path: state, values: {"1": registered, "7": refused}}
            echo: id
            id: document
            number: number
            date: {path: date, date: "%d.%m.%Y"}
          poll:
            status: {path: state, values: {open: delivered, closed: answered}}
            number: number
            date: date
            text: text
          tests:
            - name: registered
              answer: {id: x, state: 1, document: 7, number: 5/26, date: 01.12.2026}
              means: {status: registered, echo: x, id: "7", number: 5/26, date: "2026-12-01"}
"""
)
TLS: Final = (
    HEAD
    + """      adapter: rest
      dialect: envelope
      lane: {deadline_secs: 20}
      settings:
        url: https://localhost:<TLS>/in
        allow_private: ["127.0.0.1/32", "::1/128"]
        ca_file: <DIR>/Test-CA.pem
        client_cert: {cert: "file:<DIR>/client.pem", key: "file:<DIR>/client.pem"}
"""
)
SFTP: Final = (
    HEAD
    + """      adapter: sftp
      dialect: drop
      settings:
        host: 127.0.0.1
        port: <SFTP>
        user: <USER>
        key: file:<DIR>/user_key
        host_keys: ["<HOST_KEY>"]
        inbox: <DIR>/in
        outbox: <DIR>/out
        allow_private: ["127.0.0.1/32"]
"""
)
SMTP: Final = (
    HEAD
    + """      adapter: email
      legal_class: delivered
      lane: {deadline_secs: 1}
      settings:
        address: zvernennia@hub.example.org
        reply_key: file:<DIR>/reply.key
        to: [rada@gromada.example.org]
        content: full
        smtp:
          host: localhost
          port: <SMTPS>
          security: tls
          user: hub
          password: file:<DIR>/password
          ca_file: <DIR>/Test-CA.pem
          allow_private: ["127.0.0.1/32", "::1/128"]
"""
)
IMAP: Final = """channels:
  - authority: "36521731"
    channel:
      id: 00032106.edms
      adapter: email
      dialect: mailbox
      lane: {deadline_secs: 1}
      settings:
        address: zvernennia@hub.example.org
        reply_key: file:<DIR>/reply.key
        imap:
          host: localhost
          port: <IMAPS>
          user: hub
          password: file:<DIR>/password
          ca_file: <DIR>/Test-CA.pem
          allow_private: ["127.0.0.1/32", "::1/128"]
"""
WSDL: Final = (
    HEAD
    + """      adapter: soap
      dialect: wsdl
      settings:
        url: http://127.0.0.1:<HTTP>/soap
        allow_http: true
        allow_private: ["127.0.0.1/32"]
        wsdl: {folder: <DIR>/wsdl, sha256: "<PIN>"}
"""
)
HOOKS: Final = """endpoints:
  - id: crm
    url: https://crm.example.org/events
    secrets: ["file:<DIR>/hook.key"]
"""
BASES: Final = {
    "template": TEMPLATE,
    "tls": TLS,
    "sftp": SFTP,
    "smtp": SMTP,
    "imap": IMAP,
    "wsdl": WSDL,
    "hooks": HOOKS,
}
