// A receiver in Express: npm install express standardwebhooks; then
// NOTIFIER_SECRET=$(notifier secret show) node express_receiver.js
const express = require("express");
const { Webhook } = require("standardwebhooks");

const webhook = new Webhook(process.env.NOTIFIER_SECRET); // `notifier secret show` prints it
const handled = new Set(); // in earnest a table, so that a restart does not forget
const app = express();

// The bytes as they came: express.json() would lose what was signed.
app.post("/hook", express.raw({ type: "application/json", limit: "8mb" }), (request, response) => {
  let event;
  try {
    event = webhook.verify(request.body, request.headers);
  } catch (wrong) {
    return response.status(401).send(wrong.message);
  }
  if (!handled.has(event.id)) {
    handled.add(event.id);
    console.log(event.type, JSON.stringify(event.data.metadata), ...event.data.outputs);
  }
  response.sendStatus(204);
});

const server = app.listen(process.env.PORT || 9001, "127.0.0.1", () => {
  console.log("listening on", server.address().port);
});
