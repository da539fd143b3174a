import { gunzipSync } from 'node:zlib';

/** `host:compress` on Node.js: not streaming, which tests of the archive reader do not need. */
export function detect(start: Uint8Array): 'gzip' | 'zstd' | null {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  return start[0] === 0x28 && start[1] === 0xb5 ? 'zstd' : null;
}

export function gunzip() {
  const parts: Uint8Array[] = [];
  let output: Uint8Array | null = null;
  return {
    push: (part: Uint8Array) => void parts.push(part),
    finish() {
      output = new Uint8Array(gunzipSync(Buffer.concat(parts)));
    },
    pull() {
      const whole = output;
      output = null;
      return whole;
    },
    close: () => undefined,
  };
}

export function unzstd(): never {
  throw new Error('Node.js 20 has no zstd');
}
