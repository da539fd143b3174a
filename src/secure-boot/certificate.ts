import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { bits, boolean, explicit, integer, nothing, objectId, octets, primitive, sequence, setOf, time, utf8 } from './der.ts';
import type { Signer } from './cms.ts';

/** What every UEFI firmware checks (UEFI 2.10, 32.4.1); longer keys are taken by many, not by all. */
const keyBits = 2048;
const validYears = 30;

/** A new RSA key with a certificate (X.509, signed by itself) for one of the places of Secure Boot. */
export function makeCertificate(commonName: string, now: Date): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: keyBits });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha1').update(publicKey.export({ type: 'pkcs1', format: 'der' })).digest();
  const name = sequence(setOf(sequence(objectId('2.5.4.3'), utf8(commonName))));
  const algorithm = sequence(objectId('1.2.840.113549.1.1.11'), nothing);
  const extension = (id: string, value: Buffer, critical = false): Buffer => sequence(objectId(id), ...(critical ? [boolean(true)] : []), octets(value));
  const until = new Date(now);
  until.setUTCFullYear(now.getUTCFullYear() + validYears);
  const body = sequence(
    explicit(0, integer(2)),
    // From the key: no two certificates have a number in common.
    integer(createHash('sha256').update(spki).digest().subarray(0, 16)),
    algorithm,
    name,
    sequence(time(now), time(until)),
    name,
    spki,
    explicit(3, sequence(extension('2.5.29.19', sequence(), true), extension('2.5.29.15', bits(Buffer.from([0x80]), 7), true), extension('2.5.29.14', octets(keyId)), extension('2.5.29.35', sequence(primitive(0, keyId))))),
  );
  return { certificate: sequence(body, algorithm, bits(sign('sha256', body, privateKey))), key: privateKey };
}

/** PEM, as other programs read it. */
export const certificatePem = (certificate: Buffer): string => `-----BEGIN CERTIFICATE-----\n${(certificate.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;
