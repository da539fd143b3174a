import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { checksOf, hasProgram, isRoot, needToolchain, temporaryFolder, testPrograms, toolchainRoot, type Variant } from './support/binary.ts';
import { mutate, randomOf } from '../engine/fuzz/fuzz.ts';
import { startNameServer } from './support/name-server.ts';
import { makeCertificates, startTlsServers } from './support/tls-servers.ts';

/** What is done to damage deltas; another number is another course. */
const deltaSeed = process.env['OSBUILD_DELTA_SEED'] ?? '12345';

/** How many spoilt inputs each parser of the host gets. */
const fuzzRounds = process.env['OSBUILD_FUZZ_ROUNDS'] ?? '60';
const fuzzSeed = process.env['OSBUILD_FUZZ_SEED'] ?? '1';

/** Fewer files and requests: these binaries are 3 to 30 times slower. */
const programs: Record<string, string[]> = { bytes: [], compress: [], crypto: [], delta: ['60', deltaSeed], fs: [], fuzz: [fuzzRounds, fuzzSeed], net: [], netlink: [], process: [], root: [], timers: [], tree: ['2000'], memory: ['5000', 'heap'] };

const environment = {
  // leaks are looked for at a successful end; the runtime itself is reachable and not torn down
  ASAN_OPTIONS: 'exitcode=99',
  UBSAN_OPTIONS: 'print_stacktrace=1:exitcode=98',
};

/** Sanitizers want a dynamic program; it runs with the loader and libraries of the root that it was linked in. */
function loader(): string[] {
  const root = toolchainRoot ?? '';
  return [`${root}/lib64/ld-linux-x86-64.so.2`, '--library-path', `${root}/usr/lib/x86_64-linux-gnu`];
}

describe.each<[string, Variant]>([
  ['address and undefined-behaviour sanitizers', { sanitize: true }],
  ['garbage collection at every call', { gcStress: true }],
])('the native host under %s', (_, variant) => {
  let binary = '';
  let folder = temporaryFolder();
  const checks = (name: string, ...args: string[]): Promise<string[]> =>
    checksOf(binary, [name, ...args], { timeoutMs: 300_000, ...(variant.sanitize ? { wrapper: loader(), env: environment } : {}) });

  beforeAll(() => {
    if (toolchainRoot !== null && isRoot) binary = `${testPrograms(variant)}/minke`;
  }, 600_000);
  beforeEach((context) => {
    needToolchain(context);
    folder = temporaryFolder();
  });
  afterEach(() => folder.remove());

  test.each(Object.keys(programs))('%s', async (name) => {
    expect((await checks(name, folder.path, ...(programs[name] ?? []))).length).toBeGreaterThan(0);
  }, 320_000);

  test('dns', async () => {
    const server = await startNameServer();
    try {
      expect((await checks('dns', String(server.port), '1')).length).toBeGreaterThan(5);
    } finally {
      server.close();
    }
  }, 320_000);

  test('answers of a spoilt name server', async () => {
    const random = randomOf(Number(fuzzSeed));
    // The number of the query stays as it is, so that the rest is read.
    const server = await startNameServer((reply) => Buffer.concat([reply.subarray(0, 2), Buffer.from(mutate([reply.subarray(2).toString('latin1')], ['\xc0\x0c', '\xc0\xff', '\0', '\x3f', '\xff\xff'], random), 'latin1')]).subarray(0, 60_000));
    try {
      expect(await checks('dns-fuzz', String(server.port), fuzzRounds)).toHaveLength(1);
    } finally {
      server.close();
    }
  }, 320_000);

  test('tls', async (context) => {
    if (!hasProgram('openssl')) context.skip('needs openssl');
    makeCertificates(folder.path);
    const servers = await startTlsServers(folder.path);
    try {
      expect((await checks('tls', folder.path, JSON.stringify(servers.ports))).length).toBeGreaterThan(5);
    } finally {
      servers.close();
    }
  }, 320_000);
});
