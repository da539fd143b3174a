import { createHash, sign, type KeyObject } from 'node:crypto';
import { explicit, implicit, inside, integer, nothing, objectId, octets, readDer, sequence, setOf } from './der.ts';

/** A certificate (DER) and its RSA key. */
export interface Signer {
  certificate: Buffer;
  key: KeyObject;
}

const ids = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  sha256: '2.16.840.1.101.3.4.2.1',
  rsa: '1.2.840.113549.1.1.1',
};

export const sha256Algorithm = sequence(objectId(ids.sha256), nothing);
const rsaAlgorithm = sequence(objectId(ids.rsa), nothing);

/**
 * SignedData (RFC 2315) over content that travels inside, of a type of its own: what Authenticode has. No time of signing, so that the same content has the same bytes.
 * @param content the value that is signed, with its tag: the digest is of what is in it
 */
export function signContent(type: string, content: Buffer, signer: Signer): Buffer {
  const [value] = readDer(content);
  const attribute = (id: string, member: Buffer): Buffer => sequence(objectId(id), setOf(member));
  const attributes = setOf(attribute(ids.contentType, objectId(type)), attribute(ids.messageDigest, octets(createHash('sha256').update(value?.content ?? '').digest())));
  return sequence(objectId(ids.signedData), explicit(0, signedData(sequence(objectId(type), explicit(0, content)), signer, signerInfo(signer, attributes, sign('sha256', attributes, signer.key)))));
}

/** SignedData alone, without content and without signed attributes: what UEFI has in front of a variable's value (UEFI 2.10, 8.2.2). */
export const signDetached = (bytes: Buffer, signer: Signer): Buffer => signedData(sequence(objectId(ids.data)), signer, signerInfo(signer, null, sign('sha256', bytes, signer.key)));

function signedData(content: Buffer, { certificate }: Signer, info: Buffer): Buffer {
  return sequence(integer(1), setOf(sha256Algorithm), content, explicit(0, certificate), setOf(info));
}

function signerInfo({ certificate }: Signer, attributes: Buffer | null, signature: Buffer): Buffer {
  const { issuer, serial } = certificateNames(certificate);
  return sequence(integer(1), sequence(issuer, serial), sha256Algorithm, ...(attributes === null ? [] : [implicit(0, attributes)]), rsaAlgorithm, octets(signature));
}

/** Issuer and serial number as they stand in a certificate. @throws RangeError */
function certificateNames(certificate: Buffer): { issuer: Buffer; serial: Buffer } {
  const fields = inside(inside(readDer(certificate)[0], 0x30)[0], 0x30);
  // A version of 3 stands in front; certificates of version 1 have none.
  const [serial, , issuer] = fields[0]?.tag === 0xa0 ? fields.slice(1) : fields;
  if (serial?.tag !== 0x02 || issuer?.tag !== 0x30) throw new RangeError('no certificate');
  return { issuer: issuer.whole, serial: serial.whole };
}

/** What `signContent` has made, taken apart again. Signed are `attributes`, whose digest is that of the content. */
export interface ReadContent {
  content: Buffer;
  /** DER of the set as it was signed. */
  attributes: Buffer;
  messageDigest: Buffer;
  certificate: Buffer;
  signature: Buffer;
}

/** @throws RangeError for what is not of the form that `signContent` has */
export function readContent(bytes: Buffer): ReadContent {
  const [, wrapped] = inside(readDer(bytes)[0], 0x30);
  const [, , encapsulated, certificates, infos] = inside(inside(wrapped, 0xa0)[0], 0x30);
  const [content] = inside(inside(encapsulated, 0x30)[1], 0xa0);
  const [certificate] = inside(certificates, 0xa0);
  const [, , , attributes, , signature] = inside(inside(infos, 0x31)[0], 0x30);
  const digest = inside(attributes, 0xa0).map((attribute) => inside(attribute, 0x30)).find(([id]) => id?.whole.equals(objectId(ids.messageDigest)) === true)?.[1];
  const [messageDigest] = inside(digest, 0x31);
  if (content === undefined || certificate === undefined || attributes === undefined || signature === undefined || messageDigest === undefined) throw new RangeError('no signed content');
  return { content: content.whole, attributes: Buffer.concat([Buffer.from([0x31]), attributes.whole.subarray(1)]), messageDigest: messageDigest.content, certificate: certificate.whole, signature: signature.content };
}
