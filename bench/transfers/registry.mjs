// node bench/transfers/registry.mjs FOLDER PORT: serves the image of image.mjs under every name, from the disk, with ranges.
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [folder = '', port] = process.argv.slice(2);
const { manifest } = JSON.parse(readFileSync(join(folder, 'image.json'), 'utf8'));
createServer((request, response) => {
  const [, kind, name] = /\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
  const digest = kind === 'manifests' ? manifest.digest : name;
  const path = join(folder, 'blobs', digest ?? '-');
  if (kind === undefined) return response.writeHead(request.url === '/v2/' ? 200 : 404).end();
  if (!/^sha256:[0-9a-f]{64}$/.test(digest) || !existsSync(path)) return response.writeHead(404).end();
  const { size } = statSync(path);
  const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(from > 0 ? 206 : 200, {
    'Content-Type': kind === 'manifests' ? manifest.mediaType : 'application/octet-stream', 'Content-Length': size - from, 'Docker-Content-Digest': digest,
    ...(from > 0 ? { 'Content-Range': `bytes ${from}-${size - 1}/${size}` } : {}),
  });
  if (request.method === 'HEAD') return response.end();
  createReadStream(path, { start: from, highWaterMark: 1 << 18 }).pipe(response);
}).listen(Number(port), '127.0.0.1', () => console.log('up'));
