import { expect, test } from 'vitest';

import { checkText, valueOf, withoutValue, withValue } from '../../src/image-config/index.ts';
import type { DeviceConfig } from '../../src/model/index.ts';

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@laptop';

test.each([
  ['hostname', 'kitchen', { hostname: 'kitchen' }],
  ['hostname', '"kitchen"', { hostname: 'kitchen' }],
  ['hostname', '42', { hostname: '42' }],
  ['developmentMode', 'false', { developmentMode: false }],
  ['os.sshKeys', JSON.stringify([key]), { os: { sshKeys: [key] } }],
  ['os.sshKeys', key, { os: { sshKeys: [key] } }],
  ['os', JSON.stringify({ sshKeys: [] }), { os: { sshKeys: [] } }],
] as [string, string, DeviceConfig][])('%s=%s', (name, text, expected) => {
  expect(withValue({}, name, text)).toEqual(expected);
  expect(withValue({ hostname: 'old', os: { sshKeys: ['old'] } }, name, text)).toEqual({ hostname: 'old', ...expected, os: { ...{ sshKeys: ['old'] }, ...expected.os } });
});

test.each([
  ['hostnam', 'x', 'there is no key "hostnam"', 'did you mean "hostname"?'],
  ['os.sshKey', 'x', 'there is no key "os.sshKey"', 'did you mean "sshKeys"?'],
  ['hostname', 'Küche!', '"Küche!" is not a host name', undefined],
  ['developmentMode', 'perhaps', 'must be true or false, not the text "perhaps"', undefined],
  ['hostname', '["a"]', 'hostname: ', undefined],
])('%s=%s is refused', (name, text, message, hint) => {
  const failure = ((): unknown => {
    try {
      return withValue({ hostname: 'old' }, name, text);
    } catch (error) {
      return error;
    }
  })();
  expect(failure).toMatchObject({ message: expect.stringContaining(message), ...(hint === undefined ? {} : { hint: expect.stringContaining(hint) }) });
});

test('what is wrong elsewhere is no reason to refuse a value', () => {
  const broken = JSON.parse('{ "hostname": "no good", "odd": 1 }') as object;
  expect(withValue(broken, 'developmentMode', 'true')).toEqual({ ...broken, developmentMode: true });
});

test('a value is found and taken away by its key, with the keys that are empty then', () => {
  const config = { hostname: 'a', os: { sshKeys: [key] } };
  expect(valueOf(config, 'os.sshKeys')).toEqual([key]);
  expect(valueOf(config, 'developmentMode')).toBeUndefined();
  expect(() => valueOf(config, 'os.keys')).toThrow('there is no key "os.keys"');
  expect(withoutValue(config, 'os.sshKeys')).toEqual({ hostname: 'a' });
  expect(withoutValue(config, 'developmentMode')).toEqual(config);
});

test('a name with dots that is there is one name', () => {
  const config = JSON.parse('{ "a.b": { "c": 1 } }') as object;
  expect(valueOf(config, 'a.b')).toEqual({ c: 1 });
});

test.each([
  ['{ "hostname": "a" ', 'c.json: not JSON'],
  ['[]', 'c.json: not a set of keys'],
  ['{\n  "hostname": "a",\n  "developmentMod": true\n}', 'c.json:3:3: developmentMod: unknown key "developmentMod" (did you mean "developmentMode"?)'],
  ['{ "hostname": "a", "hostname": "b" }', 'c.json:1:'],
])('%s is reported with its place', (text, message) => expect(() => checkText(text, 'c.json')).toThrow(message));

test('a valid file is what it says', () => expect(checkText('{ "hostname": "a" }', 'c.json')).toEqual({ hostname: 'a' }));
