import { createServer } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { checksOf, hasProgram, isRoot, needToolchain, temporaryFolder, testPrograms, toolchainRoot } from './support/binary.ts';
import { startNameServer } from './support/name-server.ts';
import { makeCertificates, startTlsServers } from './support/tls-servers.ts';

/** A port on loopback where nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('the native host on the network', () => {
  let binary = '';
  let folder = temporaryFolder();

  beforeAll(() => {
    if (toolchainRoot !== null && isRoot) binary = `${testPrograms()}/minke`;
  });
  beforeEach((context) => {
    needToolchain(context);
    folder = temporaryFolder();
  });
  afterEach(() => folder.remove());

  test('resolves names', async () => {
    const server = await startNameServer();
    try {
      expect((await checksOf(binary, ['dns', String(server.port), String(await deadPort())])).length).toBeGreaterThan(10);
    } finally {
      server.close();
    }
  });

  test('speaks TLS', async (context) => {
    if (!hasProgram('openssl')) context.skip('needs openssl');
    makeCertificates(folder.path);
    const servers = await startTlsServers(folder.path);
    try {
      expect((await checksOf(binary, ['tls', folder.path, JSON.stringify(servers.ports)])).length).toBeGreaterThan(10);
    } finally {
      servers.close();
    }
  });
});
