// Calls of Docker's API over a unix socket.
import { Agent, request } from 'node:http';
import { createConnection } from 'node:net';

const agents = new Map();
/** One connection that is kept, for each socket. */
function agentOf(socketPath) {
  if (!agents.has(socketPath)) agents.set(socketPath, new Agent({ keepAlive: true, maxSockets: 4 }));
  return agents.get(socketPath);
}

/** The body's text; a status that is not good is an error. `keep`: over a connection that stays open. */
export function call(socketPath, method, path, body, keep = false) {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const req = request({ socketPath, method, path: `/v1.40${path}`, agent: keep ? agentOf(socketPath) : false, headers: { Host: 'x', ...(content === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) }) } }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        if (response.statusCode >= 400) reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        else resolve(text);
      });
    });
    req.on('error', reject);
    req.end(content);
  });
}

/** How many bytes a streamed answer has, head included. As HTTP/1.0, which has no chunks: taking them apart costs this program more than many an engine. */
export function sizeOf(socketPath, path) {
  return new Promise((resolve, reject) => {
    let sizeBytes = 0;
    const socket = createConnection(socketPath, () => socket.write(`GET /v1.40${path} HTTP/1.0\r\nHost: x\r\n\r\n`));
    socket.on('data', (part) => (sizeBytes += part.length));
    socket.on('end', () => resolve(sizeBytes));
    socket.on('error', reject);
  });
}

/** Takes over the connection as `docker attach` does; resolves with the stream, and with the number of bytes at its end. */
export function hijack(socketPath, path, body = undefined) {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? '' : JSON.stringify(body);
    const req = request({ socketPath, method: 'POST', path: `/v1.40${path}`, agent: false, headers: { Host: 'x', Connection: 'Upgrade', Upgrade: 'tcp', 'Content-Type': 'application/json', 'Content-Length': content.length } });
    const read = (stream, first) => {
      let sizeBytes = first;
      stream.on('data', (part) => (sizeBytes += part.length));
      const ended = new Promise((end) => {
        for (const event of ['end', 'close', 'error']) stream.once(event, () => end(sizeBytes));
      });
      resolve({ stream, ended });
    };
    req.on('upgrade', (_, socket, head) => read(socket, head.length));
    req.on('response', (response) => (response.statusCode >= 400 ? reject(new Error(`POST ${path}: ${response.statusCode}`)) : read(response, 0)));
    req.on('error', reject);
    req.end(content);
  });
}
