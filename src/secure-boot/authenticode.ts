import { createHash, createPublicKey, verify, X509Certificate } from 'node:crypto';
import { readContent, sha256Algorithm, signContent, type Signer } from './cms.ts';
import { bits, explicit, inside, objectId, octets, primitive, readDer, sequence } from './der.ts';
import { readPe, withoutSignatures } from './pe.ts';

/** Authenticode signatures of EFI programs (Microsoft: Windows Authenticode Portable Executable Signature Format; UEFI 2.10, 32.2.4). */

const indirectData = '1.3.6.1.4.1.311.2.1.4';
const imageData = '1.3.6.1.4.1.311.2.1.15';
/** WIN_CERTIFICATE: length, revision 2.0, type PKCS #7. */
const headerBytes = 8;

/** Signatures begin at a multiple of 8. */
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);

/** SHA-256 of what a signature covers: all but the checksum, the place of the signatures and these themselves, the sections in the order of the file. */
export function imageDigest(file: Buffer): Buffer {
  const pe = readPe(file);
  const end = file.readUInt32LE(pe.signaturesAt + 4) === 0 ? file.length : file.readUInt32LE(pe.signaturesAt);
  const hash = createHash('sha256');
  hash.update(file.subarray(0, pe.checksumAt)).update(file.subarray(pe.checksumAt + 4, pe.signaturesAt)).update(file.subarray(pe.signaturesAt + 8, pe.headerBytes));
  let covered = pe.headerBytes;
  for (const { rawOffset, rawBytes } of pe.sections.filter((section) => section.rawBytes > 0).toSorted((a, b) => a.rawOffset - b.rawOffset)) {
    hash.update(file.subarray(rawOffset, rawOffset + rawBytes));
    covered += rawBytes;
  }
  return hash.update(file.subarray(covered, end)).digest();
}

/** The program with one signature, instead of those that it had. */
export function signProgram(program: Buffer, signer: Signer): Buffer {
  const file = padded(withoutSignatures(program));
  const obsolete = Buffer.from('<<<Obsolete>>>', 'utf16le').swap16();
  const image = sequence(bits(Buffer.alloc(0)), explicit(0, explicit(2, primitive(0, obsolete))));
  const content = sequence(sequence(objectId(imageData), image), sequence(sha256Algorithm, octets(imageDigest(file))));
  const signature = signContent(indirectData, content, signer);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(headerBytes + signature.length, 0);
  header.writeUInt16LE(0x0200, 4);
  header.writeUInt16LE(0x0002, 6);
  const table = padded(Buffer.concat([header, signature]));
  const { signaturesAt } = readPe(file);
  file.writeUInt32LE(file.length, signaturesAt);
  file.writeUInt32LE(table.length, signaturesAt + 4);
  return Buffer.concat([file, table]);
}

/** Whether a program bears a signature that this certificate's key has made over these very bytes. Reads it as a firmware does, from the file alone. */
export function isSignedBy(file: Buffer, certificate: Buffer): boolean {
  try {
    const { signaturesAt } = readPe(file);
    const [offset, bytes] = [file.readUInt32LE(signaturesAt), file.readUInt32LE(signaturesAt + 4)];
    const table = file.subarray(offset, offset + bytes);
    // One signature, and nothing behind it.
    if (bytes < headerBytes || offset + bytes !== file.length || Math.ceil(table.readUInt32LE(0) / 8) * 8 !== bytes) return false;
    const read = readContent(table.subarray(headerBytes, table.readUInt32LE(0)));
    const [, digestInfo] = inside(readDer(read.content)[0], 0x30);
    const [, digest] = inside(digestInfo, 0x30);
    const contentDigest = createHash('sha256').update(readDer(read.content)[0]?.content ?? '').digest();
    const key = createPublicKey(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'pem' }));
    return digest?.content.equals(imageDigest(file)) === true && read.messageDigest.equals(contentDigest) && read.certificate.equals(certificate) && verify('sha256', read.attributes, key, read.signature);
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
