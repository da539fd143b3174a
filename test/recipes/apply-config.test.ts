// The script that applies config.json on the device, run here with stand-ins for what would touch this host.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const recipe = fileURLToPath(new URL('../../recipes/base/', import.meta.url));
const hasJq = spawnSync('jq', ['--version']).status === 0;
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJzc2hlZDI1NTE5 me';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'apply-config-'));
  mkdirSync(join(folder, 'bin'));
  for (const name of ['hostname', 'mount', 'mountpoint', 'chown']) {
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\necho "${name} $*" >>${folder}/calls\n[ ${name} != mountpoint ]\n`);
    chmodSync(join(folder, 'bin', name), 0o755);
  }
  mkdirSync(join(folder, 'lib'));
  writeFileSync(join(folder, 'lib/config.jq'), readFileSync(join(recipe, 'files/usr/lib/minke/config.jq')));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Applied {
  config: unknown;
  complaints: string[];
  hostname: string;
  keys: string;
  development: boolean;
  dropbear: string;
  engine: string;
}

function apply(config: string | null, { development = true } = {}): Applied {
  const run = join(folder, 'run');
  if (config === null) rmSync(join(folder, 'config.json'), { force: true });
  else writeFileSync(join(folder, 'config.json'), config);
  if (development) writeFileSync(join(folder, 'lib/development'), '');
  else rmSync(join(folder, 'lib/development'), { force: true });
  execFileSync('sh', [join(recipe, 'files/usr/lib/minke/apply-config')], {
    env: {
      PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
      MINKE_BOOT_CONFIG: join(folder, 'config.json'),
      MINKE_GOOD_CONFIG: join(folder, 'good.json'),
      MINKE_CONFIG_RUN: run,
      MINKE_LIBRARY: join(folder, 'lib'),
    },
    stdio: 'pipe',
  });
  const read = (name: string): string => readFileSync(join(run, name), 'utf8').trim();
  return {
    config: JSON.parse(read('config.json')),
    complaints: read('complaints').split('\n').filter(Boolean),
    hostname: read('hostname'),
    keys: read('ssh/authorized_keys'),
    development: existsSync(join(run, 'development')),
    dropbear: read('dropbear.env'),
    engine: read('engine.env'),
  };
}

describe.skipIf(!hasJq)(`config.json on the device${hasJq ? '' : ' (this host has no jq)'}`, () => {
  test('host name and keys are applied; keys alone open SSH', () => {
    const applied = apply(JSON.stringify({ hostname: 'ship-1', os: { sshKeys: [key] } }));
    expect(applied).toMatchObject({ hostname: 'ship-1', keys: key, complaints: [], dropbear: 'DROPBEAR_OPTIONS=-s', development: true });
    expect(readFileSync(join(folder, 'calls'), 'utf8')).toContain('hostname ship-1');
  });

  test('development without keys takes an empty password and offers the engine; production never does', () => {
    expect(apply('{}')).toMatchObject({ dropbear: 'DROPBEAR_OPTIONS=-B', engine: 'MINKE_DEVELOPMENT_OPTIONS=--host=tcp://0.0.0.0:2375 --tls=false' });
    const production = apply('{"developmentMode": true}', { development: false });
    expect(production).toMatchObject({ development: false, dropbear: 'DROPBEAR_OPTIONS=-s', engine: 'MINKE_DEVELOPMENT_OPTIONS=' });
    expect(apply('{"developmentMode": false}')).toMatchObject({ development: false, dropbear: 'DROPBEAR_OPTIONS=-s' });
  });

  test('a broken or missing file leaves the last good values', () => {
    const good = apply(JSON.stringify({ hostname: 'ship-1', os: { sshKeys: [key] } }));
    for (const broken of ['{"hostname": "ship', '', '[]', null, '{} {}', '\u0000\u0000']) {
      expect(apply(broken)).toMatchObject({ config: good.config, hostname: 'ship-1', keys: key, complaints: [expect.stringContaining('last good copy')] });
    }
  });

  test('a wrong value is named and keeps its last good one, and all others count', () => {
    apply(JSON.stringify({ hostname: 'ship-1', os: { sshKeys: [key] } }));
    const applied = apply(JSON.stringify({ hostname: 'Ship One', developmentMode: false, os: { sshKeys: ['ssh-dss AAAA'] }, colour: 'red' }));
    expect(applied).toMatchObject({ hostname: 'ship-1', keys: key, development: false });
    expect(applied.complaints).toEqual([expect.stringMatching(/^hostname: /), expect.stringMatching(/^os\.sshKeys\[0\]: /), 'colour: unknown key']);
  });

  test('a mistyped key does not open the door to everyone', () => {
    expect(apply(JSON.stringify({ os: { sshKeys: ['ssh-ed25519'] } }))).toMatchObject({ keys: '', dropbear: 'DROPBEAR_OPTIONS=-s' });
  });

  test('an injected line does not become a key', () => {
    expect(apply(JSON.stringify({ os: { sshKeys: [key, `${key}\nssh-ed25519 AAAA evil`] } })).keys).toBe(key);
  });
});
