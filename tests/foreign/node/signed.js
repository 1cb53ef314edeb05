// An authority's system in JavaScript (npm "soap"): signs an envelope (standard input) as WSSecurityCert does.
const fs = require("fs");
const soap = require("soap");

const [key, cert, prefix, options] = process.argv.slice(2);
const security = new soap.WSSecurityCert(fs.readFileSync(key), fs.readFileSync(cert), "", JSON.parse(options));
process.stdout.write(security.postProcess(fs.readFileSync(0, "utf8"), prefix));
