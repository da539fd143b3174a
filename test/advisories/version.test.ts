import { execaSync } from 'execa';
import { expect, test } from 'vitest';

import { compareDebianVersions } from '../../src/advisories/index.ts';
import { hasProgram, need } from '../support/need.ts';

/** Oldest first. */
const versions = ['~', '~1', '0', '0+', '1.0~~', '1.0~rc1-1', '1.0-1~bpo12+1', '1.0-1', '1.0-1+b1', '1.0-1+deb13u1', '1.0-1+deb13u2', '1.0-1.1', '1.0a-1', '1.0+dfsg-1', '1.0-1-1', '1.0.0-1', '1.2-1', '1.9-1', '1.10-1', '2024a-1', '2024b-1', '20240101-1', '1:0.1-1', '1:0.1-2', '2:0-0'];

test('versions are ordered as listed, and a leading zero changes nothing', () => {
  for (const [at, one] of versions.entries()) for (const [beside, other] of versions.entries()) expect([one, other, Math.sign(compareDebianVersions(one, other))]).toEqual([one, other, Math.sign(at - beside)]);
  for (const [one, other] of [['1.01-1', '1.1-1'], ['0:1', '1'], ['1.0-0', '1.0'], ['1.0', '1.0-']] as const) expect([one, other, compareDebianVersions(one, other)]).toEqual([one, other, 0]);
});

test('dpkg orders them so, too', (context) => {
  need(context, hasProgram('dpkg'), 'needs dpkg');
  for (let at = 1; at < versions.length; at += 1) expect([versions[at], execaSync('dpkg', ['--compare-versions', versions[at - 1] ?? '', 'lt', versions[at] ?? ''], { reject: false }).exitCode]).toEqual([versions[at], 0]);
});
