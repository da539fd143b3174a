import { crc32, deflateSync } from 'node:zlib';

export const [grey, rgb, palette, greyAlpha, rgba] = [0, 2, 3, 4, 6] as const;
const channels: Record<number, number> = { [grey]: 1, [rgb]: 3, [palette]: 1, [greyAlpha]: 2, [rgba]: 4 };

export interface PngOptions {
  width: number;
  height: number;
  colour: number;
  depth: number;
  /** Of a row; default 0. */
  filter?(row: number): number;
  /** Chunks in front of the data. */
  extra?: Buffer[];
  interlaced?: boolean;
  /** Bytes of one data chunk. */
  split?: number;
}

/** A PNG file of samples, which are `depth` bits each. */
export function encodePng({ width, height, colour, depth, filter = () => 0, extra = [], interlaced = false, split = Infinity }: PngOptions, sample: (x: number, y: number, channel: number) => number): Buffer {
  const count = channels[colour] ?? 1;
  const rowBytes = Math.ceil((width * count * depth) / 8);
  const step = Math.max(1, (count * depth) / 8);
  const plain = Array.from({ length: height }, (_, y) => {
    const row = Buffer.alloc(rowBytes);
    for (let i = 0; i < width * count; i += 1) {
      const value = sample(Math.floor(i / count), y, i % count);
      if (depth === 16) row.writeUInt16BE(value, i * 2);
      else if (depth === 8) row[i] = value;
      else row.writeUInt8(row.readUInt8((i * depth) >> 3) | (value << (8 - depth - ((i * depth) % 8))), (i * depth) >> 3);
    }
    return row;
  });
  const data = deflateSync(Buffer.concat(plain.map((row, y) => Buffer.concat([Buffer.from([filter(y)]), filtered(filter(y), row, plain[y - 1] ?? Buffer.alloc(rowBytes), step)]))));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour, 0, 0, interlaced ? 1 : 0], 8);
  const pieces = Array.from({ length: Math.ceil(data.length / Math.min(split, data.length)) }, (_, i) => chunk('IDAT', data.subarray(i * split || 0, (i + 1) * split)));
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), ...extra, ...pieces, chunk('IEND', Buffer.alloc(0))]);
}

export function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name), data]);
  const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  size.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([size, body, sum]);
}

function filtered(kind: number, row: Buffer, above: Buffer, step: number): Buffer {
  return Buffer.from(
    row.map((value, i) => {
      const [left, up, corner] = [row[i - step] ?? 0, above[i] ?? 0, above[i - step] ?? 0];
      const guess = left + up - corner;
      const nearest = [left, up, corner].toSorted((a, b) => Math.abs(guess - a) - Math.abs(guess - b))[0] ?? 0;
      return value - ([0, left, up, (left + up) >> 1, nearest][kind] ?? 0);
    }),
  );
}
