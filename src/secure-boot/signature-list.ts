import { createHash } from 'node:crypto';
import { signDetached, type Signer } from './cms.ts';

/** Values of the firmware's variables PK, KEK and db, signed to be written (UEFI 2.10, 8.2.2 and 32.4.1). */

export type KeyVariable = 'PK' | 'KEK' | 'db';

const globalVariable = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const imageSecurityDatabase = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
const x509List = 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072';
const pkcs7 = '4aafd29d-68df-49ee-8aa9-347d375665a7';
const vendor: Record<KeyVariable, string> = { PK: globalVariable, KEK: globalVariable, db: imageSecurityDatabase };

/** NON_VOLATILE | BOOTSERVICE_ACCESS | RUNTIME_ACCESS | TIME_BASED_AUTHENTICATED_WRITE_ACCESS */
const attributes = 0x27;

function guid(text: string): Buffer {
  const hex = Buffer.from(text.replaceAll('-', ''), 'hex');
  return Buffer.concat([hex.subarray(0, 4).toReversed(), hex.subarray(4, 6).toReversed(), hex.subarray(6, 8).toReversed(), hex.subarray(8)]);
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** EFI_SIGNATURE_LIST of one certificate (DER). Its owner's number comes from the certificate, so that the same list has the same bytes. */
export function signatureList(certificate: Buffer): Buffer {
  const owner = createHash('sha256').update(certificate).digest().subarray(0, 16);
  const signatureBytes = owner.length + certificate.length;
  return Buffer.concat([guid(x509List), number(28 + signatureBytes), number(0), number(signatureBytes), owner, certificate]);
}

/** EFI_VARIABLE_AUTHENTICATION_2 in front of the value: what a .auth file holds, and firmware menus and systemd-boot take. */
export function authenticatedVariable(variable: KeyVariable, value: Buffer, signer: Signer, now: Date): Buffer {
  const time = efiTime(now);
  const signature = signDetached(Buffer.concat([Buffer.from(variable, 'utf16le'), guid(vendor[variable]), number(attributes), time, value]), signer);
  const header = Buffer.concat([number(8 + 16 + signature.length), Buffer.from([0x00, 0x02, 0xf1, 0x0e]), guid(pkcs7)]);
  return Buffer.concat([time, header, signature, value]);
}

/** In UTC, to the second; the other fields have to be zero. */
function efiTime(date: Date): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(date.getUTCFullYear());
  for (const [index, part] of [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].entries()) bytes[2 + index] = part;
  return bytes;
}
