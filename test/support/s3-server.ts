import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';

export interface S3Server {
  url: string;
  /** Names of the access keys that requests were signed with. */
  keys: Set<string>;
  close(): Promise<void>;
}

/** As much of the S3 protocol as `aws s3 ls` and `aws s3 cp` speak of one object: buckets are the folders below `root`. Signatures are not checked. */
export async function startS3Server(root: string): Promise<S3Server> {
  const keys = new Set<string>();
  const size = (path: string): Promise<number | null> => stat(path).then((info) => (info.isFile() ? info.size : null), () => null);
  const list = async (bucket: string, prefix: string, response: ServerResponse): Promise<void> => {
    const bytes = await size(join(root, bucket, prefix));
    const found = bytes === null ? '' : `<Contents><Key>${prefix}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>${bytes}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
    response.setHeader('Content-Type', 'application/xml');
    response.end(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name><Prefix>${prefix}</Prefix><KeyCount>${bytes === null ? 0 : 1}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>${found}</ListBucketResult>`);
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://bucket');
    const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1];
    if (key !== undefined) keys.add(key);
    if (url.searchParams.has('list-type')) return void list(url.pathname.split('/')[1] ?? '', url.searchParams.get('prefix') ?? '', response);
    const path = join(root, decodeURIComponent(url.pathname));
    void size(path).then((bytes) => {
      if (bytes === null) return response.writeHead(404).end();
      response.writeHead(200, { 'Content-Length': bytes, ETag: '"x"', 'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT' });
      return request.method === 'HEAD' ? response.end() : createReadStream(path).pipe(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    keys,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
