// Serves dist/ and passes /api on to the backend, so that the page sees one origin.
//   PORT      where to listen (3000)
//   KIRO_API  the backend (http://localhost:8080)

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const port = Number(process.env.PORT ?? 3000);
const backend = new URL(process.env.KIRO_API ?? "http://localhost:8080");

const types = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".map": "application/json",
  ".svg": "image/svg+xml",
};

function say(response, status, error) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ error }));
}

function passOn(request, response) {
  const asked = http.request(
    new URL(request.url, backend),
    { method: request.method, headers: { ...request.headers, host: backend.host } },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    },
  );
  asked.on("error", () => {
    if (response.headersSent) response.destroy();
    else say(response, 502, `no backend at ${backend.origin}`);
  });
  request.pipe(asked);
}

async function sendFile(request, response) {
  const { pathname } = new URL(request.url, "http://localhost");
  const file = path.join(dist, path.normalize(pathname === "/" ? "/index.html" : pathname));
  const found = await stat(file).catch(() => null);
  if (!file.startsWith(dist + path.sep) || !found?.isFile()) {
    return say(response, 404, `no ${pathname}`);
  }
  response.writeHead(200, {
    "cache-control": "no-cache",
    "content-length": found.size,
    "content-type": types[path.extname(file)] ?? "application/octet-stream",
  });
  createReadStream(file).pipe(response);
}

const server = http.createServer((request, response) => {
  if (request.url.startsWith("/api/")) passOn(request, response);
  else sendFile(request, response).catch((error) => say(response, 400, error.message));
});

server.listen(port, () => console.log(`kiro on http://localhost:${port}, backend ${backend.origin}`));

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
  });
}
