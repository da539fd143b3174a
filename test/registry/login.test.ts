import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { parseImageName, readLogin, type Login } from '../../src/registry/index.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-login-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const login = (name: string, config?: unknown): Promise<Login | null> => {
  if (config !== undefined) writeFileSync(join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  return readLogin(parseImageName(name), { folder, env: { PATH: `${folder}:/usr/bin:/bin` } });
};
/** A credential helper that knows one registry. */
const helper = (script: string): void => {
  writeFileSync(join(folder, 'docker-credential-test'), `#!/bin/sh\nread -r registry\n${script}\n`);
  chmodSync(join(folder, 'docker-credential-test'), 0o755);
};

test('without a config.json there is none', async () => expect(await login('r.example/os')).toBeNull());

test.each([
  ['r.example:5000/os', { 'r.example:5000': { auth: base64('me:pass:word') } }, { username: 'me', password: 'pass:word' }],
  ['r.example/os', { 'https://r.example/v2/': { auth: base64('me:x') } }, { username: 'me', password: 'x' }],
  ['team/os', { 'https://index.docker.io/v1/': { auth: base64('hub:x') } }, { username: 'hub', password: 'x' }],
  ['r.example/os', { 'r.example': { identitytoken: 'long' } }, { identityToken: 'long' }],
  ['r.example/os', { 'other.example': { auth: base64('me:x') } }, null],
])('%s has its own', async (name, auths, expected) => expect(await login(name, { auths })).toEqual(expected));

test('a credential helper is asked, for all registries or for one', async () => {
  helper('[ "$registry" = r.example ] || { echo credentials not found in native keychain; exit 1; }; echo \'{"ServerURL":"r.example","Username":"<token>","Secret":"identity"}\'');
  expect(await login('r.example/os', { credsStore: 'test' })).toEqual({ identityToken: 'identity' });
  expect(await login('s.example/os', { credsStore: 'test', auths: { 's.example': { auth: base64('file:x') } } })).toEqual({ username: 'file', password: 'x' });
  expect(await login('r.example/os', { credHelpers: { 'r.example': 'test' } })).toEqual({ identityToken: 'identity' });
  expect(await login('s.example/os', { credHelpers: { 'r.example': 'test' } })).toBeNull();
});

test('what goes wrong is said', async () => {
  helper('echo the keychain is locked; exit 3');
  await expect(login('r.example/os', { credsStore: 'test' })).rejects.toThrow('the keychain is locked');
  await expect(login('r.example/os', { credsStore: 'absent' })).rejects.toThrow('docker-credential-absent cannot be run');
  await expect(login('r.example/os', '[]')).rejects.toThrow('is not a JSON object');
});
