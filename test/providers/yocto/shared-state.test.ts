import { describe, expect, test } from 'vitest';

import { mergeBuild, violations } from '../../../src/config/index.ts';
import { bitbakeEnvironment } from '../../../src/providers/yocto/bitbake/command.ts';
import { sharedStateConf, sharedStateWarnings } from '../../../src/providers/yocto/conf/shared-state.ts';
import { localConf, resolveLayers } from '../../../src/providers/yocto/index.ts';
import { requestFor } from './support.ts';

const codes = (sstate: Parameters<typeof sharedStateWarnings>[0], bucketCredentials = false): string[] => sharedStateWarnings(sstate, { bucketCredentials }).map(({ code }) => code);

describe('lines of local.conf', () => {
  test('mirrors in order, a server that is told, revisions', () => {
    expect(sharedStateConf({ mirrors: ['http://build.example:8480/', 'file:///srv/sstate'], hashServer: 'build.example:8686', prServer: 'build.example:8585' })).toBe(
      `SSTATE_MIRRORS = "file://.* http://build.example:8480/PATH;downloadfilename=PATH file://.* file:///srv/sstate/PATH;downloadfilename=PATH"
BB_SIGNATURE_HANDLER = "OEEquivHash"
BB_HASHSERVE = "build.example:8686"
PRSERV_HOST = "build.example:8585"
`,
    );
  });

  test('a bucket of a server that is not Amazon’s', () => {
    expect(sharedStateConf({ mirrors: ['s3://sstate/scarthgap'], s3Endpoint: 'https://objects.example' })).toBe(
      `SSTATE_MIRRORS = "file://.* s3://sstate/scarthgap/PATH;downloadfilename=PATH"
FETCHCMD_s3 = "/usr/bin/env aws --endpoint-url https://objects.example s3"
`,
    );
  });

  test('a server that is only asked is asked by a server of the build itself', () => {
    expect(sharedStateConf({ upstreamHashServer: 'wss://hash.example:443' })).toBe('BB_SIGNATURE_HANDLER = "OEEquivHash"\nBB_HASHSERVE = "auto"\nBB_HASHSERVE_UPSTREAM = "wss://hash.example:443"\n');
    expect(() => sharedStateConf({ hashServer: 'a:1', upstreamHashServer: 'b:2' })).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID' }));
  });

  test('signatures', () => {
    expect(sharedStateConf({ signatures: { key: 'builder@example.com', verify: true, trusted: ['0123456789ABCDEF'], keyring: '/home/builder/.gnupg' } })).toBe(
      'SSTATE_SIG_KEY = "builder@example.com"\nSSTATE_VERIFY_SIG = "1"\nSSTATE_VALID_SIGS = "0123456789ABCDEF"\nGPG_PATH = "/home/builder/.gnupg"\n',
    );
  });

  test('of a project, beside everything else', async () => {
    const { project, machine, request } = await requestFor('qemuarm64');
    const resolve = (build: typeof project.build) => resolveLayers(build, machine, project.folder, () => null);
    const shared = mergeBuild(project.build, { yocto: { sstate: { mirrors: ['http://m.example'], hashServer: 'm.example:8686' } } });
    const [without, with_] = [localConf(request, resolve(project.build)), localConf(request, resolve(shared))];
    expect(without).not.toMatch(/SSTATE|HASHSERVE/);
    expect(with_).toContain('\nBB_HASHSERVE = "m.example:8686"\n');
    expect(with_.split('\n').filter((line) => !without.split('\n').includes(line))).toHaveLength(3);
  });
});

test('a nearer project changes one key of shared state and keeps the others', () => {
  const base = { yocto: { sstate: { mirrors: ['http://m.example'], hashServer: 'm.example:8686' } } };
  expect(mergeBuild(base, { yocto: { sstate: { hashServer: 'other.example:8686' } } }).yocto?.sstate).toEqual({ mirrors: ['http://m.example'], hashServer: 'other.example:8686' });
});

describe('warnings', () => {
  test('a mirror without its hash server', () => {
    expect(codes({ mirrors: ['http://m.example'] })).toEqual(['SSTATE_NO_HASH_SERVER']);
    expect(codes({ mirrors: ['http://m.example'], hashServer: 'm.example:1' })).toEqual([]);
    expect(codes({ mirrors: ['http://m.example'], upstreamHashServer: 'm.example:1' })).toEqual([]);
    expect(codes({ hashServer: 'm.example:1' })).toEqual([]);
  });

  test('a bucket without credentials, an endpoint without a bucket', () => {
    expect(codes({ mirrors: ['s3://b'], hashServer: 'm:1' })).toEqual(['SSTATE_NO_CREDENTIALS']);
    expect(codes({ mirrors: ['s3://b'], hashServer: 'm:1' }, true)).toEqual([]);
    expect(codes({ mirrors: ['http://b.example'], hashServer: 'm:1', s3Endpoint: 'https://o.example' })).toEqual(['SSTATE_UNUSED']);
  });

  test('signatures that do not do what they seem to', () => {
    expect(codes({ mirrors: ['http://m.example'], hashServer: 'm:1', signatures: { verify: true, keyring: '/k' } })).toEqual(['SSTATE_UNSIGNED']);
    expect(codes({ signatures: { trusted: ['0123456789ABCDEF'], keyring: '/k' } })).toEqual(['SSTATE_NOT_VERIFIED']);
    expect(codes({ signatures: { key: 'k', verify: true } })).toEqual(['SSTATE_NO_KEYRING']);
    expect(codes({ signatures: { key: 'k', keyring: '/k' } })).toEqual(['SSTATE_NOT_SIGNED']);
  });
});

test.each([
  ['a mirror with options of its own', { mirrors: ['http://m.example/;downloadfilename=x'] }],
  ['a mirror that is a path', { mirrors: ['/srv/sstate'] }],
  ['a hash server without a port', { hashServer: 'm.example' }],
  ['a hash server with a password', { hashServer: 'wss://me:secret@m.example:443' }],
  ['a fingerprint where bitbake compares long ids', { signatures: { trusted: ['0'.repeat(40)] } }],
])('%s is refused', (_, sstate) => {
  expect(violations('build', { yocto: { sstate } })).not.toEqual([]);
});

test('credentials of buckets reach bitbake, the rest of the environment does not', () => {
  const folders = { bitbake: '/b', core: '/c', build: '/d', home: '/h' };
  expect(bitbakeEnvironment(folders, { PATH: '/bin', AWS_ACCESS_KEY_ID: 'id', SECRET: 'x' })).toMatchObject({ AWS_ACCESS_KEY_ID: 'id' });
  expect(bitbakeEnvironment(folders, { PATH: '/bin', SECRET: 'x' })).not.toHaveProperty('SECRET');
});
