// A receiver in Express. Install express and standardwebhooks, then run:
// NOTIFIER_SECRET=$(notifier secret show) node express_receiver.js
const express = require("express");
const { Webhook } = require("standardwebhooks");

const webhook = new Webhook(process.env.NOTIFIER_SECRET); // the first line of `notifier secret show`
const handled = new Set(); // in production a table, so that a restart keeps it
const app = express();

// The signature covers the raw bytes; express.json() would discard them.
app.post("/hook", express.raw({ type: "application/json", limit: "8mb" }), (request, response) => {
  let event;
  try {
    event = webhook.verify(request.body, request.headers);
  } catch (error) {
    return response.status(401).send(error.message);
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
