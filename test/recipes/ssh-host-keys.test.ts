import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { home } from '../boot/osbuild-test.ts';

const script = join(home, 'recipes/dropbear/files/usr/lib/minke/ssh-host-keys');
const why = spawnSync('dropbearkey', ['-h']).error === undefined ? '' : ' (needs dropbearkey: Debian’s dropbear-bin)';
const names = ['dropbear_ecdsa_host_key', 'dropbear_ed25519_host_key'];

describe.skipIf(why !== '')(`host keys of SSH${why}`, () => {
  let top: string;
  let [kept, copies] = ['', ''];
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'osbuild-host-keys-'));
    [kept, copies] = [join(top, 'kept'), join(top, 'copies')];
    for (const folder of [kept, copies]) mkdirSync(folder);
  });
  afterEach(() => rmSync(top, { recursive: true, force: true }));
  const make = (folder = kept): string => {
    const { status, stdout, stderr } = spawnSync('sh', [script, folder, copies], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, expect.any(String)]);
    return stdout;
  };
  const bytes = (folder: string): string[] => names.map((name) => readFileSync(join(folder, name), 'latin1'));

  test('are made once, for root alone, and copied at each start', () => {
    expect(make()).toBe('new ed25519 host key\nnew ecdsa host key\n');
    const first = bytes(kept);
    expect([readdirSync(kept), readdirSync(copies)]).toEqual([names, names]);
    expect(names.flatMap((name) => [kept, copies].map((folder) => statSync(join(folder, name)).mode & 0o777))).toEqual([0o600, 0o600, 0o600, 0o600]);
    rmSync(copies, { recursive: true });
    mkdirSync(copies);
    expect(make()).toBe('');
    expect([bytes(kept), bytes(copies)]).toEqual([first, first]);
  });

  test('are made anew where one does not read: the other stays', () => {
    make();
    const [ecdsa] = bytes(kept);
    writeFileSync(join(kept, 'dropbear_ed25519_host_key'), 'cut off');
    writeFileSync(join(kept, 'dropbear_ed25519_host_key.new'), 'cut off earlier');
    expect(make()).toBe('new ed25519 host key\n');
    expect(bytes(copies)).toEqual(bytes(kept));
    expect(bytes(kept)[0]).toBe(ecdsa);
    expect(readdirSync(kept)).toEqual(names);
  });

  test('are in memory alone where the partition takes no writes', () => {
    expect(make(join(top, 'none'))).toMatch(/^new ed25519 host key for this start alone: .*\nnew ecdsa host key for this start alone: .*\n$/);
    expect(readdirSync(copies)).toEqual(names);
    expect(readdirSync(top).toSorted()).toEqual(['copies', 'kept']);
  });
});
