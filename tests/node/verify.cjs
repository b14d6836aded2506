// Asks npm's standardwebhooks about one message: {secret, headers, body} on standard input, true or false out.
// Ends with 2 when the package is missing.
let Webhook, WebhookVerificationError;
try {
  ({ Webhook, WebhookVerificationError } = require("standardwebhooks"));
} catch (missing) {
  process.exit(2);
}
const text = require("node:fs").readFileSync(0, "utf8");
if (text !== "") {
  const { secret, headers, body } = JSON.parse(text);
  try {
    new Webhook(secret).verify(Buffer.from(body), headers);
    console.log("true");
  } catch (refusal) {
    if (!(refusal instanceof WebhookVerificationError)) throw refusal;
    console.log("false");
  }
}
