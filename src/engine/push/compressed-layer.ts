import { gzip } from 'host:compress';
import { hashed } from '../archive/index.ts';
import type { LayerTar } from '../images/index.ts';
import type { UploadContent } from '../registry/index.ts';

/** A layer's archive with gzip, which makes the same bytes each time. `read` hears how much of the archive has gone in. */
export function compressedLayer(tar: LayerTar, read: (sizeBytes: number) => void): UploadContent {
  return {
    open() {
      const source = tar.open();
      const codec = gzip();
      let taken = 0;
      let finished = false;
      const output = hashed({
        async read() {
          for (;;) {
            const out = codec.pull();
            if (out !== null || finished) return out;
            const part = await source.read();
            if (part === null) {
              codec.finish();
              finished = true;
            } else {
              codec.push(part);
              taken += part.length;
              read(taken);
            }
          }
        },
      });
      return {
        read: () => output.read(),
        digest: () => `sha256:${output.hex()}`,
        get sizeBytes() {
          return output.sizeBytes;
        },
        close() {
          codec.close();
          source.close();
        },
      };
    },
  };
}
