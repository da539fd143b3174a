import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { centred, look, readPng, readPpm, type Pixels } from '../../src/device/pixels.ts';
import { encodePng, grey, palette, rgb, chunk } from '../splash/png.ts';

const picture: Pixels = { width: 4, height: 2, rgb: Buffer.from([9, 9, 9, 1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9, 7, 7, 7, 8, 8, 8, 9, 9, 9]) };
const changed = (screen: Pixels, at: number, bytes: number[]): Pixels => {
  const copy = Buffer.from(screen.rgb);
  copy.set(bytes, at);
  return { ...screen, rgb: copy };
};

describe('files of pictures', () => {
  test.each([0, 1, 2, 3, 4])('PNG: colours with filter %i', (filter) => {
    const sample = (x: number, y: number, channel: number): number => (x * 50 + y * 31 + channel * 7) & 0xff;
    const { width, height, rgb: bytes } = readPng(encodePng({ width: 5, height: 4, colour: rgb, depth: 8, filter: () => filter, split: 11 }, sample));
    expect([width, height]).toEqual([5, 4]);
    expect([...bytes]).toEqual(Array.from({ length: 60 }, (_, i) => sample(Math.floor(i / 3) % 5, Math.floor(i / 15), i % 3)));
  });

  test('PNG: a palette; what is not read is refused', () => {
    const colours = chunk('PLTE', Buffer.from([1, 2, 3, 200, 100, 50]));
    expect([...readPng(encodePng({ width: 2, height: 1, colour: palette, depth: 8, extra: [colours] }, (x) => x)).rgb]).toEqual([1, 2, 3, 200, 100, 50]);
    for (const file of [Buffer.from('text'), encodePng({ width: 2, height: 1, colour: grey, depth: 8 }, () => 1), encodePng({ width: 2, height: 1, colour: rgb, depth: 8, interlaced: true }, () => 1)]) {
      expect(() => readPng(file)).toThrow('not a PNG file of a kind that is read here');
    }
  });

  test('PPM: as QEMU writes it, and not half of it', () => {
    const file = Buffer.concat([Buffer.from('P6\n2 1\n255\n'), Buffer.from([1, 2, 3, 4, 5, 6])]);
    expect(readPpm(file)).toEqual({ width: 2, height: 1, rgb: Buffer.from([1, 2, 3, 4, 5, 6]) });
    expect(() => readPpm(file.subarray(0, -1))).toThrow();
    expect(() => readPpm(Buffer.alloc(0))).toThrow();
  });

  test('the picture of recipe splash is one that this reads, small, and fits on the smallest screens', () => {
    const file = readFileSync(new URL('../../recipes/splash/initrd/lib/splash.png', import.meta.url));
    expect(file.length).toBeLessThan(20_000);
    const { width, height } = readPng(file);
    expect([width, height]).toEqual([640, 240]);
  });
});

describe('what is on a screen', () => {
  const screen = centred(picture, 9, 5);

  test('the picture in the middle, its corner’s colour around it', () => {
    expect([...screen.rgb.subarray(0, 3)]).toEqual([9, 9, 9]);
    expect([...screen.rgb.subarray((1 * 9 + 3) * 3, (1 * 9 + 3) * 3 + 6)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(look(screen, picture)).toBe('picture');
  });

  test('one pixel of text is something else', () => {
    expect(look(changed(screen, 0, [255, 255, 255]), picture)).toBe('other');
    expect(look(changed(screen, (1 * 9 + 4) * 3, [4, 5, 7]), picture)).toBe('other');
  });

  test('the background alone, or a screen that is off, is plain; the upper rows on it are a drawing', () => {
    expect(look({ ...screen, rgb: Buffer.alloc(screen.rgb.length) }, picture)).toBe('plain');
    expect(look({ ...screen, rgb: Buffer.alloc(screen.rgb.length, 9) }, picture)).toBe('plain');
    expect(look({ ...screen, rgb: Buffer.concat([screen.rgb.subarray(0, 2 * 27), Buffer.alloc(3 * 27)]) }, picture)).toBe('drawing');
  });

  test('a screen that the picture does not fit on is an error, not a comparison', () => {
    expect(() => look({ width: 2, height: 2, rgb: Buffer.alloc(12) }, picture)).toThrow('the picture has 4x2 pixels, the screen 2x2');
  });
});
