import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DebianLock, DebianRequest } from '../../../../src/model/index.ts';
import { diffLocks, resolveNow, type LockPorts } from '../../../../src/providers/debian/index.ts';
import { canMakeArchives, makeArchive, type TestPackage } from '../../../support/debian-archive.ts';
import { startFaultyServer, type FaultyServer } from '../../../support/faulty-server.ts';
import { hostRun } from '../../../support/host-run.ts';
import { need } from '../../../support/need.ts';

let folder: string;
let server: FaultyServer;
beforeEach(async (context) => {
  need(context, canMakeArchives(), 'gpg, which signs the test archive, is not installed');
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-diff-'));
  mkdirSync(path.join(folder, 'cache'));
  server = await startFaultyServer();
});
afterEach(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const request: DebianRequest = { architecture: 'amd64', foreign: [], packages: ['a', 'b', 'c'] };

function publish(packages: TestPackage[], keep: boolean): LockPorts {
  const archive = makeArchive(folder, folder, packages);
  if (!keep) server.files.clear();
  for (const [place, bytes] of archive.files) for (const base of ['debian', 'debian-security']) server.files.set(`/${base}/${place}`, bytes);
  const apt = { archives: { main: `${server.url}/debian`, security: `${server.url}/debian-security` }, proxies: { http: null, https: null }, options: [] };
  return { run: hostRun, apt: () => Promise.resolve(apt), cacheFolder: path.join(folder, 'cache'), keyring: archive.keyring, emit: () => {}, signal: new AbortController().signal, has: () => Promise.resolve(false) };
}

const lockOf = (ports: LockPorts): Promise<DebianLock> => resolveNow({ title: 'x', request, suite: 'trixie', components: ['main'] }, ports);

test('the packages that differ between two locks, and the lines of their scripts', async () => {
  const first = publish([{ name: 'a', scripts: { postinst: '#!/bin/sh\n# by tool 1\nset -e\nmake-keys\n' } }, { name: 'b', scripts: { postinst: '#!/bin/sh\n# by tool 1\ntrue\n' } }, { name: 'c' }], true);
  const before = await lockOf(first);
  const second = publish([{ name: 'a', version: '2.0', scripts: { postinst: '#!/bin/sh\n# by tool 2\nset -e\nmake-keys --new\n' } }, { name: 'b', version: '1.1', scripts: { postinst: '#!/bin/sh\n# by tool 2\ntrue\n' } }, { name: 'c' }], true);
  const after = await lockOf(second);
  const ports = { ...second, blob: () => Promise.resolve(null) };
  expect(await diffLocks(before, after, ports)).toEqual({
    packages: [
      { name: 'a', architecture: 'all', before: '1.0', after: '2.0' },
      { name: 'b', architecture: 'all', before: '1.0', after: '1.1' },
    ],
    scripts: [{ package: 'a', architecture: 'all', script: 'postinst', before: '1.0', after: '2.0', removed: ['make-keys'], added: ['make-keys --new'] }],
    unread: [],
  });
  expect(await diffLocks(after, after, ports)).toEqual({ packages: [], scripts: [], unread: [] });

  // Old versions leave the mirror: what cannot be read is said, not passed over.
  for (const place of [...server.files.keys()]) if (place.endsWith('a_1.0_all.deb')) server.files.delete(place);
  expect((await diffLocks(before, after, ports)).unread).toEqual(['a 1.0']);
});
