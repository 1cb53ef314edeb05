// An authority's system in JavaScript (npm "soap"): the same as hub_client.php.
const fs = require("fs");
const soap = require("soap");

async function main([wsdl, key, message, receipt, version]) {
  const client = await soap.createClientAsync(wsdl, { forceSoap12Headers: version === "1.2" });
  client.setSecurity(new soap.BearerSecurity(key));
  const content = fs.readFileSync(receipt).toString("base64");
  const [inbox] = await client.ListInboxAsync({ limit: 200 });
  const [fetched] = await client.FetchMessageAsync({ messageId: message });
  const document = { contentType: "application/json", content };
  const [taken] = await client.AcknowledgeAsync({ messageId: message, ...document });
  const [again] = await client.SubmitEnvelopeAsync(document);
  const [state] = await client.GetStatusAsync({ caseId: taken.caseId });
  let fault = null;
  try {
    await client.FetchMessageAsync({ messageId: "00000000-0000-7000-8000-000000000000" });
  } catch (error) {
    const said = error.root.Envelope.Body.Fault;
    const detail = said.detail || said.Detail;
    fault = { code: said.faultcode || said.Code.Value, text: error.message, detail: detail.Refusal.code };
  }
  console.log(JSON.stringify({
    inbox: (inbox.message || []).map((m) => m.messageId), content_type: fetched.contentType, content: fetched.content,
    repeat: [taken.repeat, again.repeat], state: state.state, number: state.number, fault,
  }));
}

main(process.argv.slice(2)).catch((error) => { console.error(error); process.exit(1); });
