"""Names of the operations in the OpenAPI document (``operationId``).

Generated clients make their functions of these names, so they are part of the interface (docs/compatibility.md) and
stand here by themselves: no function in the code can change one by being renamed.
"""

from __future__ import annotations

from typing import Final

_TABLE: Final = """
GET  /healthz                             is_alive
GET  /readyz                              is_ready
GET  /metrics                             get_metrics
POST /v1/appeals                          submit_appeal
POST /v1/appeals/batch                    submit_appeals
POST /v1/envelopes                        submit_envelope
POST /v1/attachments                      upload_attachment
GET  /v1/attachments/{sha256}             download_attachment
GET  /v1/cases                            list_cases
GET  /v1/cases.csv                        export_cases
GET  /v1/cases/counts                     count_cases
GET  /v1/cases/{id}                       get_case
GET  /v1/cases/{id}/timeline              get_timeline
GET  /v1/cases/{id}/chain                 get_chain
GET  /v1/cases/{id}/evidence              get_evidence
GET  /v1/cases/{id}/likeness              get_likeness
POST /v1/cases/{id}/messages              send_message
GET  /v1/cases/{id}/messages/{message}    get_message
GET  /v1/groups                           list_campaigns
GET  /v1/events                           get_events
GET  /v1/events/stream                    stream_events
GET  /v1/reports/{kind}                   get_report
GET  /v1/reports/surges                   get_surges
GET  /v1/classifiers                      get_vocabularies
GET  /v1/classifiers/topics               list_topics
GET  /v1/classifiers/territories          list_territories
GET  /v1/classifiers/authorities          list_authorities
POST /v1/route                            try_route
GET  /v1/inbox                            list_inbox
GET  /v1/inbox/{id}                       fetch_inbox_message
POST /v1/inbox/{id}/receipt               push_inbox_receipt
POST /v1/callbacks/{channel_id}           push_callback
GET  /v1/ops/items                        list_items
GET  /v1/ops/inbound                      list_inbound
GET  /v1/ops/pen                          list_pen
GET  /v1/ops/inbound/{id}                 get_inbound
GET  /v1/ops/inbound/{id}/raw             get_inbound_raw
POST /v1/ops/inbound/{id}/attach          attach_inbound
POST /v1/ops/inbound/{id}/decide          decide_inbound
POST /v1/ops/inbound/{id}/dismiss         dismiss_inbound
POST /v1/ops/cases/{id}/statements        record_statement
POST /v1/ops/cases/{id}/assign            assign_case
POST /v1/ops/cases/{id}/close             close_items
POST /v1/ops/cases/{id}/conclude          conclude_case
GET  /v1/ops/dead-letters                 list_dead_letters
POST /v1/ops/dead-letters/{id}/replay     replay_dead_letter
POST /v1/ops/deliveries/{id}/channel      choose_channel
GET  /v1/ops/deliveries/{id}/attempts     list_attempts
GET  /v1/ops/groups                       list_failure_groups
GET  /v1/ops/acts                         list_acts
POST /v1/ops/acts                         start_act
GET  /v1/ops/acts/{id}                    get_act
POST /v1/ops/acts/{id}/pause              pause_act
POST /v1/ops/acts/{id}/resume             resume_act
POST /v1/ops/acts/{id}/undo               undo_act
GET  /v1/ops/shadows                      list_shadows
GET  /v1/ops/lanes                        list_lanes
POST /v1/ops/lanes/{channel_id}/pause     pause_lane
POST /v1/ops/lanes/{channel_id}/resume    resume_lane
GET  /v1/ops/alarms                       list_alarms
GET  /v1/ops/expiry                       list_expiry
GET  /v1/ops/webhooks                     list_webhooks
POST /v1/ops/webhooks/{id}/enable         enable_webhook
POST /v1/ops/webhooks/{id}/replay         replay_webhook
GET  /v1/ops/audit                        list_audit_entries
"""
OPERATIONS: Final = {(method, path): name for method, path, name in map(str.split, _TABLE.strip().splitlines())}
"""Names by method and path."""
