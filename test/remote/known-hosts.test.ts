import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';

import { fingerprint, keyType, knownKeyTypes, lookUpHostKey } from '../../src/remote/index.ts';

/** A key as it travels: the name of its type and its bytes, each with its length. */
function key(type: string, bytes: string): Buffer {
  const part = (text: string): Buffer => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
  return Buffer.concat([part(type), part(bytes)]);
}
const line = (names: string, blob: Buffer, marker = ''): string => `${marker}${names} ${keyType(blob)} ${blob.toString('base64')} a comment\n`;

const ours = key('ssh-ed25519', 'ours');
const other = key('ssh-ed25519', 'other');
const rsa = key('ssh-rsa', 'rsa');
const at = (host: string, port = 22) => ({ host, port });

describe('known_hosts', () => {
  test('a name, one of several, another port, capitals', () => {
    const text = `# comment\n\n${line('build.example,10.0.0.1', ours)}${line('[build.example]:2222', other)}`;
    expect(lookUpHostKey(text, at('build.example'), ours)).toEqual({ kind: 'known' });
    expect(lookUpHostKey(text, at('BUILD.example'), ours)).toEqual({ kind: 'known' });
    expect(lookUpHostKey(text, at('10.0.0.1'), ours)).toEqual({ kind: 'known' });
    expect(lookUpHostKey(text, at('build.example', 2222), other)).toEqual({ kind: 'known' });
    expect(lookUpHostKey(text, at('build.example', 2223), ours)).toEqual({ kind: 'unknown' });
  });

  test('another key of the same type is told with its line; one of another type says nothing', () => {
    const text = `${line('elsewhere', ours)}${line('build.example', ours)}`;
    expect(lookUpHostKey(text, at('build.example'), other)).toEqual({ kind: 'other', line: 2, type: 'ssh-ed25519' });
    expect(lookUpHostKey(text, at('build.example'), rsa)).toEqual({ kind: 'unknown' });
  });

  test('hashed names', () => {
    const salt = Buffer.alloc(20, 7);
    const hashed = (name: string): string => `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
    const text = line(hashed('build.example'), ours) + line(hashed('[build.example]:2222'), other);
    expect(lookUpHostKey(text, at('build.example'), ours)).toEqual({ kind: 'known' });
    expect(lookUpHostKey(text, at('build.example', 2222), other)).toEqual({ kind: 'known' });
    expect(lookUpHostKey(text, at('other.example'), ours)).toEqual({ kind: 'unknown' });
  });

  test('patterns and their exceptions', () => {
    const text = line('*.example,!bad.example,host?', ours);
    expect(lookUpHostKey(text, at('good.example'), ours)).toEqual({ kind: 'known' });
    expect(lookUpHostKey(text, at('bad.example'), ours)).toEqual({ kind: 'unknown' });
    expect(lookUpHostKey(text, at('host1'), ours)).toEqual({ kind: 'known' });
    expect(lookUpHostKey(text, at('goodxexample'), ours)).toEqual({ kind: 'unknown' });
  });

  test('revoked keys; lines of authorities are no keys of hosts', () => {
    expect(lookUpHostKey(line('*', ours, '@revoked ') + line('h', ours), at('h'), ours)).toEqual({ kind: 'revoked', line: 1 });
    expect(lookUpHostKey(line('*', ours, '@cert-authority '), at('h'), ours)).toEqual({ kind: 'unknown' });
  });

  test('types that are known, to ask for', () => {
    expect(knownKeyTypes(line('h', rsa) + line('h', ours) + line('i', other), at('h'))).toEqual(['ssh-rsa', 'ssh-ed25519']);
  });

  test('the fingerprint is the one that ssh-keygen prints', () => {
    // Of a key made once with ssh-keygen -t ed25519, and what ssh-keygen -l printed of it.
    const blob = Buffer.from('AAAAC3NzaC1lZDI1NTE5AAAAIL0bIblaiCWneIzlTjiJ9yFlIc1+gW8mvA8HBksAq6Uj', 'base64');
    expect(fingerprint(blob)).toBe('SHA256:ObAoDAmh6n65whB7OMILQpL98CX5VafJWhognXf573M');
  });
});
