// Draws the picture of this recipe anew: node recipes/splash/draw-picture.mjs. The name in strokes of round pens, above a wave; PNG with a palette.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';

const [width, height] = [640, 240];
const [background, ink] = [[11, 31, 42], [233, 242, 245]];
/** Pixels of a unit below, and how thick a stroke is. */
const [unit, pen] = [84, 13];

const arc = (x, y, radius, from, to) => Array.from({ length: 33 }, (_, i) => ((from + ((to - from) * i) / 32) * Math.PI) / 180).map((angle) => [x + radius * Math.cos(angle), y + radius * Math.sin(angle)]);
/** Lines through points, in units, y upwards from the base line; and how far the next letter is. */
const letters = {
  M: { advance: 1.1, strokes: [[[0, 0], [0, 1], [0.4, 0.35], [0.8, 1], [0.8, 0]]] },
  i: { advance: 0.32, strokes: [[[0, 0], [0, 0.62]], [[0, 0.9], [0, 0.9]]] },
  n: { advance: 0.75, strokes: [[[0, 0], [0, 0.62]], [...arc(0.25, 0.37, 0.25, 180, 0), [0.5, 0]]] },
  k: { advance: 0.7, strokes: [[[0, 0], [0, 1]], [[0.44, 0.62], [0, 0.22]], [[0.17, 0.37], [0.46, 0]]] },
  e: { advance: 0.75, strokes: [[[0, 0.31], ...arc(0.31, 0.31, 0.31, 0, 315)]] },
  ' ': { advance: 0.35, strokes: [] },
  O: { advance: 1.25, strokes: [arc(0.5, 0.5, 0.5, 0, 360)] },
  S: { advance: 0.6, strokes: [[...arc(0.28, 0.74, 0.26, 30, 270), ...arc(0.28, 0.24, 0.24, 90, -150)]] },
};

const word = 'Minke OS';
const length = [...word].reduce((sum, letter) => sum + letters[letter].advance, 0) * unit;
const left = (width - length) / 2;
const lines = [];
let x = left;
for (const letter of word) {
  for (const points of letters[letter].strokes) lines.push(points.map(([dx, dy]) => [x + dx * unit, 140 - dy * unit]));
  x += letters[letter].advance * unit;
}
lines.push(Array.from({ length: 97 }, (_, i) => [left + (length * i) / 96, 190 + 8 * Math.sin((i / 96) * 6 * Math.PI)]));
const segments = lines.flatMap((points) => points.slice(1).map((point, i) => [points[i], point]));

function distance(px, py, [[ax, ay], [bx, by]]) {
  const [dx, dy] = [bx - ax, by - ay];
  const along = dx === 0 && dy === 0 ? 0 : Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)));
  return Math.hypot(px - ax - along * dx, py - ay - along * dy);
}

/** Shades between background and ink, by their number in the palette. */
const shades = 16;
const palette = Buffer.from(Array.from({ length: shades }, (_, i) => background.map((value, c) => Math.round(value + ((ink[c] - value) * i) / (shades - 1)))).flat());
const rows = Buffer.alloc((width + 1) * height);
for (let row = 0; row < height; row += 1) {
  for (let column = 0; column < width; column += 1) {
    const near = Math.min(...segments.map((segment) => distance(column + 0.5, row + 0.5, segment)));
    rows[row * (width + 1) + 1 + column] = Math.round(Math.min(1, Math.max(0, pen / 2 - near + 0.5)) * (shades - 1));
  }
}

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name), data]);
  const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  size.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([size, body, sum]);
}

const header = Buffer.alloc(13);
header.writeUInt32BE(width, 0);
header.writeUInt32BE(height, 4);
header.set([8, 3, 0, 0, 0], 8);
const picture = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('PLTE', palette), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
writeFileSync(join(import.meta.dirname, 'initrd/lib/splash.png'), picture);
