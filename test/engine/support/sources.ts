import type { ByteSource } from '../../../src/engine/ports/index.ts';

/** A source that gives its bytes in pieces of a length, so that no reader may rely on where pieces end. */
export function piecewise(data: Uint8Array, pieceBytes: number): ByteSource {
  let at = 0;
  return {
    read() {
      if (at >= data.length) return Promise.resolve(null);
      const piece = data.subarray(at, at + pieceBytes);
      at += piece.length;
      return Promise.resolve(new Uint8Array(piece));
    },
  };
}
