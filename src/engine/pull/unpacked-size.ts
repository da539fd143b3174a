import type { Cancellation } from '../ports/index.ts';
import type { Descriptor, Repository } from '../registry/index.ts';

/** RFC 1952: the last four bytes of a gzip member are the length of what is in it, modulo 2³². */
const LENGTH_BYTES = 4;
/** No deflate stream grows by more; what says so is something else. */
const GROWTH_LIMIT = 1032;

/**
 * The least that a layer's archive has, in bytes. A gzip'd blob is asked for its end, which costs a request: the length there is that of its last member, so
 * a blob of several, or of more than 4 GiB, has more. What cannot be found out is the blob's own size.
 */
export async function unpackedAtLeast(repository: Pick<Repository, 'blob'>, { digest, mediaType, sizeBytes }: Descriptor, cancellation: Cancellation): Promise<number> {
  if (!/[.+]gzip$/.test(mediaType) || sizeBytes <= LENGTH_BYTES || cancellation.cancelled) return sizeBytes;
  try {
    const reply = await repository.blob(digest, sizeBytes - LENGTH_BYTES);
    // Who knows no ranges begins to send all of it.
    if (reply.status !== 206 || !(reply.headers.get('content-range') ?? '').startsWith(`bytes ${sizeBytes - LENGTH_BYTES}-`)) {
      reply.close();
      return sizeBytes;
    }
    const end = await reply.bytes(LENGTH_BYTES);
    const length = end.length === LENGTH_BYTES ? new DataView(end.buffer, end.byteOffset, end.length).getUint32(0, true) : 0;
    return length > sizeBytes * GROWTH_LIMIT ? sizeBytes : Math.max(length, sizeBytes);
  } catch {
    // The pull itself will say what is wrong with the registry.
    return sizeBytes;
  }
}
