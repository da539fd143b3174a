import { inflateSync } from 'node:zlib';

/** What stands on a screen or in a picture: red, green and blue of each pixel, 8 bits each, rows from the top without gaps. */
export interface Pixels {
  width: number;
  height: number;
  rgb: Buffer;
}

/** A screen against the picture that it should show: `plain` is one colour all over, `drawing` a part of the picture on a plain screen. */
export type Look = 'picture' | 'drawing' | 'plain' | 'other';

/** Reads a PPM file as QEMU's screendump writes it (P6, 8 bits). Throws an Error for anything else. */
export function readPpm(file: Buffer): Pixels {
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(file.subarray(0, 64).toString('latin1'));
  const [all, width, height] = [head?.[0].length ?? 0, Number(head?.[1]), Number(head?.[2])];
  if (head === null || file.length < all + width * height * 3) throw new Error('no PPM file of 8 bits, or one that is not whole');
  return { width, height, rgb: file.subarray(all, all + width * height * 3) };
}

const chunkHead = 8;
const chunkTail = 4;

/** Reads a PNG file with a palette or with red, green and blue, of 8 bits, neither interlaced nor transparent (the picture of recipe splash). Throws an Error for others. */
export function readPng(file: Buffer): Pixels {
  let [header, palette, data] = [Buffer.alloc(0), Buffer.alloc(0), Buffer.alloc(0)];
  for (let at = 8; at + chunkHead <= file.length; ) {
    const content = file.subarray(at + chunkHead, at + chunkHead + file.readUInt32BE(at));
    const name = file.toString('latin1', at + 4, at + chunkHead);
    if (name === 'IHDR') header = Buffer.from(content);
    else if (name === 'PLTE') palette = Buffer.from(content);
    else if (name === 'IDAT') data = Buffer.concat([data, content]);
    at += chunkHead + content.length + chunkTail;
  }
  const colour = header[9];
  if (header.length !== 13 || header[8] !== 8 || (colour !== 2 && colour !== 3) || header[12] !== 0) throw new Error('not a PNG file of a kind that is read here');
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const rows = unfilter(inflateSync(data), width * (colour === 3 ? 1 : 3), height, colour === 3 ? 1 : 3);
  if (colour === 2) return { width, height, rgb: rows };
  const rgb = Buffer.alloc(width * height * 3);
  for (const [i, index] of rows.entries()) palette.copy(rgb, i * 3, index * 3, index * 3 + 3);
  return { width, height, rgb };
}

function unfilter(data: Buffer, rowBytes: number, height: number, step: number): Buffer {
  const out = Buffer.alloc(rowBytes * height);
  for (let y = 0; y < height; y += 1) {
    const filter = data[y * (rowBytes + 1)] ?? 0;
    for (let x = 0; x < rowBytes; x += 1) {
      const at = y * rowBytes + x;
      const left = x < step ? 0 : (out[at - step] ?? 0);
      const above = y === 0 ? 0 : (out[at - rowBytes] ?? 0);
      const corner = y === 0 || x < step ? 0 : (out[at - rowBytes - step] ?? 0);
      out[at] = ((data[y * (rowBytes + 1) + 1 + x] ?? 0) + ([0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter] ?? 0)) & 0xff;
    }
  }
  return out;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [fromLeft, fromAbove, fromCorner] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  if (fromLeft <= fromAbove && fromLeft <= fromCorner) return left;
  return fromAbove <= fromCorner ? above : corner;
}

/** A screen of a size with a picture that fits on it as minke-splash draws it: in the middle, its upper left pixel's colour around it. */
export function centred(picture: Pixels, width: number, height: number): Pixels {
  if (picture.width > width || picture.height > height) throw new Error(`the picture has ${picture.width}x${picture.height} pixels, the screen ${width}x${height}`);
  const rgb = Buffer.alloc(width * height * 3, picture.rgb.subarray(0, 3));
  const [left, top] = [Math.floor((width - picture.width) / 2), Math.floor((height - picture.height) / 2)];
  for (let y = 0; y < picture.height; y += 1) picture.rgb.copy(rgb, ((top + y) * width + left) * 3, y * picture.width * 3, (y + 1) * picture.width * 3);
  return { width, height, rgb };
}

/** Rows are compared whole: a screen that is being drawn has some that are the picture's, and plain ones. */
export function look(screen: Pixels, picture: Pixels): Look {
  const expected = centred(picture, screen.width, screen.height).rgb;
  const bytes = screen.width * 3;
  const first = screen.rgb.subarray(0, 3);
  let [drawn, plain] = [0, 0];
  for (let y = 0; y < screen.height; y += 1) {
    const row = screen.rgb.subarray(y * bytes, (y + 1) * bytes);
    const same = row.equals(expected.subarray(y * bytes, (y + 1) * bytes));
    if (same) drawn += 1;
    if (isPlain(row)) plain += 1;
    else if (!same) return 'other';
  }
  if (drawn === screen.height) return 'picture';
  const oneColour = plain === screen.height && screen.rgb.equals(Buffer.alloc(screen.rgb.length, first));
  return oneColour ? 'plain' : 'drawing';
}

const isPlain = (row: Buffer): boolean => row.equals(Buffer.alloc(row.length, row.subarray(0, 3)));
