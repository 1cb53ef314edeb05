// An authority's system in JavaScript (npm "soap"): sends an answer with a file beside it as a MIME part.
const fs = require("fs");
const crypto = require("crypto");
const soap = require("soap");

async function main([wsdl, key, envelope, path]) {
  const client = await soap.createClientAsync(wsdl);
  client.setSecurity(new soap.BearerSecurity(key));
  const body = fs.readFileSync(path);
  const sha256 = crypto.createHash("sha256").update(body).digest("hex");
  const call = {
    contentType: "application/json",
    content: fs.readFileSync(envelope).toString("base64"),
    file: [{ sha256, mediaType: "image/png", reference: "cid:photo@edms" }],
  };
  const attachments = [{ mimetype: "image/png", contentId: "photo@edms", name: "photo.png", body }];
  const [taken] = await client.SubmitEnvelopeAsync(call, { attachments });
  console.log(JSON.stringify({ caseId: taken.caseId, repeat: taken.repeat }));
}

main(process.argv.slice(2)).catch((error) => { console.error(error); process.exit(1); });
