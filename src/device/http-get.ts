import { request, type IncomingHttpHeaders } from 'node:http';

export interface HttpAnswer {
  status: number;
  text: string;
}

const limitBytes = 16 << 20;

/**
 * Asks a port of this host for a page, over a connection of its own. A board that starts anew leaves older connections half open, and on Node.js 20 a `fetch` that took one of those
 * was seen to wait for ever, whatever its signal was to do about it.
 * @param timeoutMs for all of it
 */
export function httpGet(port: number, path: string, { timeoutMs, headers = {} }: { timeoutMs: number; headers?: IncomingHttpHeaders }): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let sizeBytes = 0;
      response.on('data', (part: Buffer) => {
        parts.push(part);
        if ((sizeBytes += part.length) > limitBytes) asked.destroy(new Error(`port ${port} sends more than ${limitBytes} bytes`));
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }));
      response.once('error', reject);
    });
    const timer = setTimeout(() => asked.destroy(new Error(`port ${port} did not answer within ${timeoutMs / 1000} s`)), timeoutMs);
    asked.once('error', reject).once('close', () => clearTimeout(timer)).end();
  });
}
