import { createHash, createPublicKey, verify } from 'node:crypto';

/** `host:crypto` on Node.js. */
export class Sha256 {
  #hash = createHash('sha256');
  update(data: Uint8Array | string): this {
    this.#hash.update(data);
    return this;
  }
  async updateLater(data: Uint8Array): Promise<void> {
    await Promise.resolve();
    this.#hash.update(data);
  }
  hex(): string {
    return this.#hash.copy().digest('hex');
  }
  digest(): Uint8Array {
    return Uint8Array.from(this.#hash.copy().digest());
  }
}

export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

export function sha1(data: Uint8Array | string): string {
  return createHash('sha1').update(data).digest('hex');
}

export function verifySignature(publicKey: string, message: Uint8Array | string, signature: Uint8Array): boolean {
  return verify('sha256', typeof message === 'string' ? Buffer.from(message) : message, createPublicKey(publicKey), signature);
}
