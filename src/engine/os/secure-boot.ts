import { sha256 } from 'host:crypto';
import { EngineError } from '../error.ts';
import type { Files } from '../ports/index.ts';
import type { Device } from './device.ts';
import type { Release } from './release.ts';
import type { Slot } from './slots.ts';

/** Variables of the firmware (UEFI 2.10, 3.3 and 32.4.1), as efivarfs has them: four bytes of attributes, then the value. */
const SWITCH = 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
const DATABASE = 'db-d719b2cb-3d3a-4596-a3bc-dad00e67656f';
const ATTRIBUTE_BYTES = 4;
const LIMIT_BYTES = 256 * 1024;

/** EFI_SIGNATURE_LIST: type, size of the list, of a header and of each signature, which begins with its owner. */
const X509_LIST = 'a159c0a5e494a74a87b5ab155c2bf072';
const LIST_HEADER_BYTES = 28;
const OWNER_BYTES = 16;

/** Whether the firmware starts signed programs alone. */
export const firmwareEnforces = ({ system: { files }, places }: Pick<Device, 'system' | 'places'>): boolean => variable(files, `${places.firmware}/${SWITCH}`)?.[0] === 1;

/** Whether a slot that is not empty holds a unified kernel: those alone have no initrd beside them. */
export const holdsUnified = ({ system: { files }, boot }: Pick<Device, 'system' | 'boot'>, slot: Slot): boolean => !files.exists(`${boot.path}/${slot}/initrd`);

/**
 * Throws EngineError 'OS_NOT_SIGNED' for a release that this device's firmware would not start: it would stop there, and not come back to the release before by itself.
 * Asked for are the very certificates in db; one above the release's is not looked for.
 */
export function checkFirmware(device: Pick<Device, 'system' | 'places'>, { unified }: Release): void {
  if (!firmwareEnforces(device)) return;
  const { system: { files }, places } = device;
  if (unified === undefined) throw new EngineError('forbidden', 'OS_NOT_SIGNED', 'the firmware of this device starts signed programs alone (Secure Boot), and the kernel of this release is not signed', { hint: 'build it with secureBoot in build.config.yaml' });
  const known = certificates(variable(files, `${places.firmware}/${DATABASE}`) ?? new Uint8Array());
  if (!known.some((certificate) => sha256(certificate) === unified.certificate)) {
    throw new EngineError('forbidden', 'OS_NOT_SIGNED', "the kernel of this release is signed by a certificate that is not in the firmware's db", { hint: 'build it with the certificate that the device was given, or give the firmware the new one first' });
  }
}

function variable(files: Files, path: string): Uint8Array | undefined {
  if (!files.exists(path)) return undefined;
  const buffer = new Uint8Array(LIMIT_BYTES);
  const fd = files.open(path, 'read');
  try {
    let length = 0;
    for (let read = files.read(fd, buffer); read > 0 && length < LIMIT_BYTES; read = files.read(fd, buffer.subarray(length))) length += read;
    return buffer.subarray(ATTRIBUTE_BYTES, Math.max(length, ATTRIBUTE_BYTES));
  } finally {
    files.close(fd);
  }
}

/** The X.509 certificates of some signature lists; what is cut off is left out. */
function certificates(lists: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const view = new DataView(lists.buffer, lists.byteOffset, lists.byteLength);
  for (let at = 0; at + LIST_HEADER_BYTES <= lists.length; ) {
    const [listBytes, headerBytes, eachBytes] = [view.getUint32(at + 16, true), view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
    const end = at + listBytes;
    if (listBytes < LIST_HEADER_BYTES || end > lists.length) break;
    const type = Array.from(lists.subarray(at, at + 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
    if (type === X509_LIST && eachBytes > OWNER_BYTES) {
      for (let one = at + LIST_HEADER_BYTES + headerBytes; one + eachBytes <= end; one += eachBytes) found.push(lists.subarray(one + OWNER_BYTES, one + eachBytes));
    }
    at = end;
  }
  return found;
}
