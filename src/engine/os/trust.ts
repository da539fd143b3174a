import { fromBase64 } from 'host:bytes';
import { verifySignature } from 'host:crypto';
import { EngineError } from '../error.ts';
import type { Device } from './device.ts';
import { RELEASE_LABEL } from './release.ts';

/** Label with the signatures of the text in RELEASE_LABEL: a JSON list of base64. The writer: src/image/release.ts. */
export const SIGNATURES_LABEL = 'io.minke.os.signatures';

const SIGNATURES_LIMIT = 16;

/**
 * Whether a key that the running release trusts has signed this one. Throws EngineError 'OS_NOT_TRUSTED' when none has; false: this release trusts no
 * keys, and takes what it gets.
 */
export function checkSignature({ system: { files }, places }: Pick<Device, 'system' | 'places'>, labels: Readonly<Record<string, string>>): boolean {
  const keys = files.exists(places.keys) ? files.readdir(places.keys).filter(({ name }) => name.endsWith('.pem')).map(({ name }) => files.readText(`${places.keys}/${name}`, 64 * 1024)) : [];
  if (keys.length === 0) return false;
  const text = labels[RELEASE_LABEL] ?? '';
  const signatures = readSignatures(labels[SIGNATURES_LABEL]);
  if (signatures.length === 0) throw new EngineError('forbidden', 'OS_NOT_TRUSTED', 'the release is not signed, and this device takes signed ones alone', { hint: 'build it with updates.signWith in build.config.yaml' });
  if (keys.some((key) => signatures.some((signature) => verifySignature(key, text, signature)))) return true;
  throw new EngineError('forbidden', 'OS_NOT_TRUSTED', 'the release is signed by no key that this device trusts', { hint: 'sign it with a key of the release that runs here as well; the new release may bring other keys' });
}

function readSignatures(label: string | undefined): Uint8Array[] {
  try {
    const list: unknown = JSON.parse(label ?? '[]');
    return Array.isArray(list) ? list.slice(0, SIGNATURES_LIMIT).flatMap((one: unknown) => (typeof one === 'string' ? [fromBase64(one)] : [])) : [];
  } catch {
    return [];
  }
}
