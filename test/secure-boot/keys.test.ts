import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authenticatedVariable, certificatePem, makeCertificate, signatureList } from '../../src/secure-boot/index.ts';
import { explicit, inside, integer, objectId, readDer, sequence } from '../../src/secure-boot/der.ts';

const now = new Date('2026-11-23T12:34:56Z');
const [platform, exchange] = [makeCertificate('ours PK', now), makeCertificate('ours KEK', now)];

describe('a certificate', () => {
  const read = new X509Certificate(certificatePem(platform.certificate));

  test('is its key\'s, signed by itself, for thirty years, and may sign nothing but programs', () => {
    expect(read.subject).toBe('CN=ours PK');
    expect(read.issuer).toBe('CN=ours PK');
    expect(read.checkPrivateKey(platform.key)).toBe(true);
    expect(read.verify(read.publicKey)).toBe(true);
    expect(read.ca).toBe(false);
    expect(new Date(read.validFrom).getTime()).toBe(now.getTime());
    expect(new Date(read.validTo).toISOString()).toBe('2056-11-23T12:34:56.000Z');
  });

  test('has a number of its own', () => {
    expect(new X509Certificate(exchange.certificate).serialNumber).not.toBe(read.serialNumber);
  });
});

describe('what a firmware is given', () => {
  let folder = '';
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-keys-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const value = signatureList(exchange.certificate);
  const variable = authenticatedVariable('KEK', value, platform, now);

  test('is a list of one certificate', () => {
    // EFI_CERT_X509_GUID, as UEFI 2.10, 32.4.1 has it.
    expect(value.subarray(0, 16).toString('hex')).toBe('a159c0a5e494a74a87b5ab155c2bf072');
    expect(value.readUInt32LE(16)).toBe(value.length);
    expect(value.readUInt32LE(24)).toBe(16 + exchange.certificate.length);
    expect(value.subarray(28 + 16).equals(exchange.certificate)).toBe(true);
    expect(signatureList(exchange.certificate).equals(value)).toBe(true);
  });

  test('is signed for its variable and time by the key above, as openssl verifies it', () => {
    expect([variable.readUInt16LE(0), ...variable.subarray(2, 7)]).toEqual([2026, 11, 23, 12, 34, 56]);
    const certificateBytes = variable.readUInt32LE(16);
    expect(variable.subarray(16 + certificateBytes).equals(value)).toBe(true);
    const signedData = variable.subarray(16 + 24, 16 + certificateBytes);
    writeFileSync(join(folder, 'signature.der'), sequence(objectId('1.2.840.113549.1.7.2'), explicit(0, signedData)));
    writeFileSync(join(folder, 'PK.crt'), certificatePem(platform.certificate));
    writeFileSync(join(folder, 'KEK.crt'), certificatePem(exchange.certificate));
    const attributes = Buffer.from([0x27, 0, 0, 0]);
    const global = Buffer.from('61dfe48bca93d211aa0d00e098032b8c', 'hex');
    const covered = (name: string): Buffer => Buffer.concat([Buffer.from(name, 'utf16le'), global, attributes, variable.subarray(0, 16), value]);
    const verdict = (name: string, certificate: string): number | null => {
      writeFileSync(join(folder, 'content'), covered(name));
      return spawnSync('openssl', ['smime', '-verify', '-inform', 'DER', '-in', 'signature.der', '-content', 'content', '-binary', '-noverify', '-nointern', '-certfile', certificate], { cwd: folder }).status;
    };
    expect(verdict('KEK', 'PK.crt')).toBe(0);
    expect(verdict('db', 'PK.crt')).not.toBe(0);
    expect(verdict('KEK', 'KEK.crt')).not.toBe(0);
  });
});

describe('DER', () => {
  test('of any length is read as it was written', () => {
    for (const bytes of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const [number] = inside(readDer(sequence(integer(Buffer.alloc(bytes, 0x7f))))[0], 0x30);
      expect(number?.content.length).toBe(Math.max(1, bytes));
    }
    expect(integer(0x80).toString('hex')).toBe('02020080');
    expect(objectId('1.2.840.113549.1.7.2').toString('hex')).toBe('06092a864886f70d010702');
  });

  test.each([['cut off', '3005'], ['of a length without end', '3080'], ['with a length that is cut off', '3084'], ['longer than there is', '30840000ffff00']])('that is %s is refused', (_, hex) => {
    expect(() => readDer(Buffer.from(hex, 'hex'))).toThrow(RangeError);
  });
});
