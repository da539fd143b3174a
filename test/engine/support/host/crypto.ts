import { createHash } from 'node:crypto';

/** `host:crypto` on Node.js. */
export class Sha256 {
  #hash = createHash('sha256');
  update(data: Uint8Array | string): this {
    this.#hash.update(data);
    return this;
  }
  hex(): string {
    return this.#hash.copy().digest('hex');
  }
}

export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

export function sha1(data: Uint8Array | string): string {
  return createHash('sha1').update(data).digest('hex');
}
