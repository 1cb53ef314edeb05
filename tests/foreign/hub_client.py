"""An authority's system in Python, by Debian's suds: the same as hub_client.php. Runs on the system's own Python."""

import base64
import json
import sys
from pathlib import Path

from suds import WebFault  # type: ignore[import-not-found]
from suds.client import Client  # type: ignore[import-not-found]
from suds.transport.http import HttpAuthenticated  # type: ignore[import-not-found]

wsdl, key, message, receipt, _ = sys.argv[1:]
client = Client(wsdl, transport=HttpAuthenticated(username="edms", password=key), cache=None)
content = base64.b64encode(Path(receipt).read_bytes()).decode()
inbox = client.service.ListInbox(limit=200)
fetched = client.service.FetchMessage(messageId=message)
taken = client.service.Acknowledge(messageId=message, contentType="application/json", content=content)
again = client.service.SubmitEnvelope(contentType="application/json", content=content)
state = client.service.GetStatus(caseId=taken.caseId)
fault = None
try:
    client.service.FetchMessage(messageId="00000000-0000-7000-8000-000000000000")
except WebFault as caught:
    fault = {"detail": str(caught.fault.detail.Refusal.code)}
print(
    json.dumps(
        {
            "inbox": [str(each.messageId) for each in inbox.message],
            "content_type": str(fetched.contentType),
            "content": str(fetched.content),
            "repeat": [taken.repeat, again.repeat],
            "state": str(state.state),
            "number": str(state.number),
            "fault": fault,
        }
    )
)
