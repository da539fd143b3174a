import { text } from 'host:bytes';
import { sha256 } from 'host:crypto';
import { EngineError } from '../error.ts';
import type { Cancellation, Clock } from '../ports/index.ts';
import { openBlob } from './blob-source.ts';
import type { Descriptor } from './manifest.ts';
import type { Repository } from './repository.ts';

const LIMIT_BYTES = 4 * 1024 * 1024;

/** A small blob (an image's configuration) as text, checked against its size and hash. Throws EngineError 'invalid', RegistryError. */
export async function fetchDocument(repository: Pick<Repository, 'blob'>, descriptor: Descriptor, clock: Clock, cancellation: Cancellation): Promise<string> {
  if (descriptor.sizeBytes > LIMIT_BYTES) throw new EngineError('invalid', 'MANIFEST_INVALID', `the image's configuration is larger than ${LIMIT_BYTES} bytes`);
  const source = openBlob(repository, descriptor, { clock, cancellation, progress: { received: () => undefined, retrying: () => undefined } });
  try {
    const bytes = new Uint8Array(descriptor.sizeBytes);
    let have = 0;
    for (let part = await source.read(); part !== null; part = await source.read()) {
      bytes.set(part, have);
      have += part.length;
    }
    if (`sha256:${sha256(bytes)}` !== descriptor.digest) throw new EngineError('invalid', 'DIGEST_MISMATCH', `image config verification failed for digest ${descriptor.digest}`);
    return text(bytes);
  } finally {
    source.close();
  }
}
