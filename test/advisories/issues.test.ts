import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { openIssues, readTracker, type ImagePackage } from '../../src/advisories/index.ts';

/** Made by hand in the form of the tracker's own data. */
const tracker = readTracker(readFileSync(new URL('tracker-data.json', import.meta.url), 'utf8'), 'data');

const openssl: ImagePackage[] = ['openssl', 'libssl3t64'].map((name) => ({ name, version: '3.5.7-1~deb13u3', source: 'openssl', sourceVersion: '3.5.7-1~deb13u3' }));
const bash: ImagePackage = { name: 'bash', version: '5.2.37-2+b10', source: 'bash', sourceVersion: '5.2.37-2' };
const kernel = (version: string): ImagePackage => ({ name: 'linux-image-amd64', version, source: 'linux-signed-amd64', sourceVersion: version.replace('-', '+') });
const found = (packages: ImagePackage[], release = 'trixie') => openIssues(packages, tracker, release);

test('issues are those that the release has and the version does not fix, the worst first', () => {
  expect(found([...openssl, bash, kernel('6.12.117-1')]).map(({ id, urgency, state, source, fixedVersion, packages }) => [id, urgency, state, source, fixedVersion, packages])).toEqual([
    ['CVE-2026-0101', 'high', 'fixed', 'openssl', '3.5.7-1~deb13u4', ['libssl3t64', 'openssl']],
    ['CVE-2026-2000', 'low', 'open', 'bash', null, ['bash']],
    ['CVE-2026-3000', 'not yet assigned', 'fixed', 'linux', '6.12.120-1', ['linux-image-amd64']],
    ['TEMP-1234567-A1B2C3', 'not yet assigned', 'undetermined', 'bash', null, ['bash']],
    ['CVE-2026-2001', 'unimportant', 'open', 'bash', null, ['bash']],
  ]);
  expect(found([bash])[0]).toMatchObject({ note: 'Minor issue', decision: 'postponed', scope: 'local', version: '5.2.37-2' });
});

test('a newer version has fewer of them, another release has others', () => {
  expect(found([{ ...bash, source: 'openssl', sourceVersion: '3.5.7-1~deb13u4' }])).toEqual([]);
  expect(found([kernel('6.12.120-1')])).toEqual([]);
  expect(found(openssl, 'bookworm').map(({ id }) => id)).toEqual(['CVE-2026-0101', 'CVE-2025-7777']);
});

test('what was taken over from a later release is compared with that one', () => {
  expect(found([kernel('6.18.3-1~bpo13+1')])).toEqual([]);
  expect(found([kernel('6.18.2-1~bpo13+1')])).toMatchObject([{ id: 'CVE-2026-3000', fixedVersion: '6.18.3-1' }]);
});

test.each([['[]', 'no packages'], ['{', 'not JSON'], ['{"bash":{"CVE-1":{}}}', 'CVE-1 of bash has no releases'], ['{"bash":1}', 'bash has no issues']])('%s is no tracker data', (text, why) => {
  expect(() => readTracker(text, 'x.json')).toThrow(why);
});
