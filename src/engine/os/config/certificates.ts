import { base64, fromBase64 } from 'host:bytes';
import { pemOf } from './pem.ts';

/** The certificates of a `rootCA`, which is PEM or base64 of PEM, each with lines as programs want them; '' when there is none. */
export function certificatesOf(rootCA: string): string {
  return [...(pemOf(rootCA) ?? '').matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g)].map(([, body = '']) => certificate(body)).join('');
}

function certificate(body: string): string {
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(body);
  } catch {
    return '';
  }
  // A certificate is a sequence in DER, of a length that takes two bytes to say, and that is all there is.
  if (bytes[0] !== 0x30 || bytes[1] !== 0x82 || (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0) + 4 !== bytes.length) return '';
  const rows = base64(bytes).match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${rows.join('\n')}\n-----END CERTIFICATE-----\n`;
}
