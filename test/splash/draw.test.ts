import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { engineArchitectures, engineTargets } from '../../src/engine-binary/index.ts';
import { isRoot, needToolchain, toolchainRoot } from '../host/support/binary.ts';
import { chunk, encodePng, grey, greyAlpha, palette, rgb, rgba, type PngOptions } from './png.ts';

const home = new URL('../..', import.meta.url).pathname;

let folder = '';
const inside = (path: string): string => `/${relative(toolchainRoot ?? '', join(folder, path))}`;
function inToolchain(...argv: string[]): void {
  const { status, stderr } = spawnSync('chroot', [toolchainRoot ?? '', ...argv], { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' } });
  expect(stderr).toBe('');
  expect(status).toBe(0);
}

beforeAll(() => {
  if (toolchainRoot === null || !isRoot) return;
  folder = mkdtempSync(join(toolchainRoot, 'build-splash-'));
  for (const name of ['src/splash', 'src/host', 'test/splash']) cpSync(join(home, name), join(folder, name), { recursive: true });
  const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', `-I${inside('src/splash')}`];
  const compile = (name: string, sources: string[], ...more: string[]): void => inToolchain('gcc', ...flags, ...more, ...sources.map(inside), '-lz', '-o', inside(name));
  compile('draw', ['src/splash/png.c', 'src/splash/screen.c', 'test/splash/draw.c'], '-Dioctl=fake_ioctl');
  compile('events', ['src/splash/uevents.c', 'test/splash/events.c']);
}, 60_000);
afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});
beforeEach(needToolchain);

interface FakeScreen {
  width: number;
  height: number;
  bits?: number;
  lineBytes?: number;
  left?: number;
  top?: number;
  visual?: number;
  /** offset:length of red, green, blue and what is opaque. */
  channels?: string;
}

const [trueColour, pseudoColour] = [2, 3] as const;

/** A program of the toolchain's architecture, under the sanitizers. */
function run(name: string, words: string[], env: Record<string, string>, input = ''): { status: number | null; stdout: string } {
  const root = toolchainRoot ?? '';
  const { status, stdout, stderr } = spawnSync(`${root}/lib64/ld-linux-x86-64.so.2`, ['--library-path', `${root}/usr/lib/x86_64-linux-gnu`, join(folder, name), ...words], { encoding: 'utf8', input, env: { ASAN_OPTIONS: 'exitcode=99', UBSAN_OPTIONS: 'exitcode=98', ...env } });
  expect(stderr).toBe('');
  return { status, stdout };
}

/** What stands in the frame buffer after the picture was drawn on it, by the program under the sanitizers. */
function draw(picture: Buffer | null, { width, height, bits = 32, lineBytes = (width * bits) / 8, left = 0, top = 0, visual = trueColour, channels = '16:8 8:8 0:8 0:0' }: FakeScreen): { said: string; status: number | null; memory: Buffer } {
  const [file, device] = [join(folder, 'picture.png'), join(folder, 'memory')];
  rmSync(file, { force: true });
  if (picture !== null) writeFileSync(file, picture);
  writeFileSync(device, '');
  const { status, stdout } = run('draw', [file, device], { FAKE_SCREEN: `${width} ${height} ${bits} ${lineBytes} ${left} ${top} ${visual} ${channels}` });
  return { said: stdout.trim(), status, memory: readFileSync(device) };
}

/** Pixels of a screen of 32 bits as [red, green, blue]. */
const pixel = (memory: Buffer, { width }: { width: number }, x: number, y: number): number[] => {
  const at = (y * width + x) * 4;
  return [memory[at + 2] ?? -1, memory[at + 1] ?? -1, memory[at] ?? -1];
};

const noise = (x: number, y: number, channel: number): number => (x * 37 + y * 101 + channel * 59 + x * y) & 0xff;
const size = { width: 23, height: 17 };
const every = <T>(value: (x: number, y: number) => T): T[] => Array.from({ length: size.width * size.height }, (_, i) => value(i % size.width, Math.floor(i / size.width)));
const drawn = (memory: Buffer): number[][] => every((x, y) => pixel(memory, size, x, y));

describe('pictures', () => {
  const depths: [string, number, number, (x: number, y: number) => number[]][] = [
    ...[1, 2, 4, 8, 16].map((depth): [string, number, number, (x: number, y: number) => number[]] => [`grey of ${depth} bits`, grey, depth, (x, y) => {
      const most = depth >= 8 ? 255 : 2 ** depth - 1;
      const value = depth === 16 ? noise(x, y, 0) : Math.floor(((noise(x, y, 0) & most) * 255) / most);
      return [value, value, value];
    }]),
    ['colours of 8 bits', rgb, 8, (x, y) => [0, 1, 2].map((channel) => noise(x, y, channel))],
    ['colours of 16 bits', rgb, 16, (x, y) => [0, 1, 2].map((channel) => noise(x, y, channel))],
    ...[1, 2, 4, 8].map((depth): [string, number, number, (x: number, y: number) => number[]] => [`a palette of ${depth} bits`, palette, depth, (x, y) => [0, 1, 2].map((channel) => ((noise(x, y, 0) & (2 ** depth - 1)) * 3 + channel * 7) & 0xff)]),
  ];
  const colours = chunk('PLTE', Buffer.from(Array.from({ length: 256 }, (_, i) => [0, 1, 2].map((channel) => (i * 3 + channel * 7) & 0xff)).flat()));
  const encoded = (options: Partial<PngOptions> & { colour: number; depth: number }): Buffer =>
    encodePng({ ...size, extra: options.colour === palette ? [colours] : [], ...options }, (x, y, channel) => {
      const value = noise(x, y, channel);
      return options.depth === 16 ? value * 256 + 99 : options.depth === 8 ? value : value & (2 ** options.depth - 1);
    });

  test.each(depths)('%s, with every filter, come out as they went in', (_, colour, depth, expected) => {
    for (const filter of [() => 0, () => 1, () => 2, () => 3, () => 4, (row: number) => row % 5]) {
      const { said, memory } = draw(encoded({ colour, depth, filter, split: 100 }), size);
      expect(said).toBe('mode set');
      expect(drawn(memory)).toEqual(every(expected));
    }
  });

  test.each([[rgba, 8], [rgba, 16], [greyAlpha, 8], [greyAlpha, 16]])('of kind %i with %i bits: what is transparent lets the background through', (colour, depth) => {
    const most = 2 ** depth - 1;
    const alpha = colour === rgba ? 3 : 1;
    // Upper left opaque white, so the background is white; the right half black at half strength.
    const { memory } = draw(encodePng({ ...size, colour, depth }, (x, _y, channel) => (channel === alpha ? (x < 10 ? most : most >> 1) : x < 10 ? most : 0)), size);
    expect(pixel(memory, size, 0, 0)).toEqual([255, 255, 255]);
    expect(pixel(memory, size, 20, 5)).toEqual([128, 128, 128]);
  });

  test('with a palette whose first colour is transparent stand on black', () => {
    const transparent = chunk('tRNS', Buffer.from([0]));
    const { memory } = draw(encodePng({ ...size, colour: palette, depth: 8, extra: [colours, transparent] }, (x) => (x < 5 ? 0 : 9)), size);
    expect(pixel(memory, size, 0, 0)).toEqual([0, 0, 0]);
    expect(pixel(memory, size, 9, 9)).toEqual([27, 34, 41]);
  });

  const whole = encoded({ colour: rgb, depth: 8, filter: (row) => row % 5 });
  test.each<[string, Buffer | null, RegExp]>([
    ['no file', null, /^picture cannot be opened/],
    ['an empty file', Buffer.alloc(0), /^picture is empty/],
    ['a text', Buffer.from('this is a picture, honestly'), /^picture is no PNG file/],
    ['half a file', whole.subarray(0, whole.length / 2), /^picture (is damaged|has no data)/],
    ['the head of a file', whole.subarray(0, 33), /^picture has no data/],
    ['a filter that does not exist', encoded({ colour: rgb, depth: 8, filter: () => 5 }), /^picture is damaged/],
    ['an interlaced one', encoded({ colour: rgb, depth: 8, interlaced: true }), /^picture is interlaced/],
    ['a depth that does not exist', encoded({ colour: rgb, depth: 4 }), /^picture is of a kind/],
    ['a colour type that does not exist', encoded({ colour: 5, depth: 8 }), /^picture is of a kind/],
    ['one of no width', Buffer.concat([whole.subarray(0, 16), Buffer.alloc(4), whole.subarray(20)]), /^picture is too large/],
    ['one of 4 billion pixels a side', Buffer.concat([whole.subarray(0, 16), Buffer.alloc(8, 0xff), whole.subarray(24)]), /^picture is too large/],
  ])('%s: it says what is wrong, and the screen is left alone', (_, file, words) => {
    const { said, status, memory } = draw(file, size);
    expect(said).toMatch(words);
    expect([status, memory.length]).toEqual([1, 0]);
  });

  test('that are damaged anywhere touch no memory that is not there', () => {
    const small = encodePng({ width: 9, height: 5, colour: palette, depth: 4, filter: (row) => row % 5, extra: [colours], split: 20 }, (x, y) => (x + y) % 16);
    for (let round = 0; round < 150; round += 1) {
      const file = Buffer.from(small);
      for (const [place, value] of [...randomBytes(6)].entries()) if (place % 2 === 0) file[8 + Math.floor(Math.random() * (file.length - 8))] = value;
      // A large size is a slow test, not another one.
      file.set([0, 0], 16);
      file.set([0, 0, 0], 20);
      expect([0, 1]).toContain(draw(file, { width: 40, height: 30 }).status);
    }
  });
});

describe('screens', () => {
  const quarters = encodePng({ width: 8, height: 4, colour: rgb, depth: 8 }, (x, y, channel) => [x < 4 ? 200 : 40, y < 2 ? 100 : 0, 8][channel] ?? 0);

  test('larger than the picture: it is in the middle, and the colour of its corner around it', () => {
    const screen = { width: 20, height: 10 };
    const { memory } = draw(quarters, screen);
    const inPicture = (x: number, y: number): boolean => x >= 6 && x < 14 && y >= 3 && y < 7;
    for (let y = 0; y < screen.height; y += 1) {
      for (let x = 0; x < screen.width; x += 1) expect(pixel(memory, screen, x, y)).toEqual(inPicture(x, y) ? [x < 10 ? 200 : 40, y < 5 ? 100 : 0, 8] : [200, 100, 8]);
    }
  });

  test('smaller than the picture: it is made smaller and keeps its shape', () => {
    const screen = { width: 4, height: 6 };
    const { memory } = draw(quarters, screen);
    expect(pixel(memory, screen, 0, 1)).toEqual([200, 100, 8]);
    expect([pixel(memory, screen, 0, 2), pixel(memory, screen, 3, 2), pixel(memory, screen, 0, 3), pixel(memory, screen, 3, 3)]).toEqual([[200, 100, 8], [40, 100, 8], [200, 0, 8], [40, 0, 8]]);
    expect(pixel(memory, screen, 3, 5)).toEqual([200, 100, 8]);
  });

  test('of one pixel get the mean', () => {
    expect(pixel(draw(quarters, { width: 1, height: 1 }).memory, { width: 1 }, 0, 0)).toEqual([120, 50, 8]);
  });

  test.each<[string, Partial<FakeScreen>, number[]]>([
    ['16 bits', { bits: 16, channels: '11:5 5:6 0:5 0:0' }, [((200 >> 3) << 11) | ((100 >> 2) << 5) | (8 >> 3)]],
    ['24 bits, red first', { bits: 24, channels: '0:8 8:8 16:8 0:0' }, [200, 100, 8]],
    ['32 bits with one channel for what is opaque', { bits: 32, channels: '16:8 8:8 0:8 24:8' }, [8, 100, 200, 255]],
    ['32 bits, and a place behind them for what is not there', { bits: 32, channels: '16:8 8:8 0:8 32:0' }, [8, 100, 200, 0]],
    ['10 bits a colour', { bits: 32, channels: '20:10 10:10 0:10 0:0' }, [...Buffer.from(Uint32Array.from([(200 << 22) | (100 << 12) | (8 << 2)]).buffer)]],
  ])('%s', (_, shape, expected) => {
    const { memory } = draw(quarters, { width: 8, height: 4, ...shape });
    expect(shape.bits === 16 ? [memory.readUInt16LE(0)] : [...memory.subarray(0, expected.length)]).toEqual(expected);
  });

  test('with room beside their lines, and one that shows a later part of its memory', () => {
    const { memory } = draw(quarters, { width: 8, height: 4, lineBytes: 64, left: 2, top: 3 });
    expect(memory.length).toBe(6 * 64 + 8 + 32);
    expect([...memory.subarray(3 * 64 + 8, 3 * 64 + 12)]).toEqual([8, 100, 200, 0]);
    expect(memory.subarray(0, 3 * 64 + 8).equals(Buffer.alloc(3 * 64 + 8))).toBe(true);
  });

  test.each<[string, Partial<FakeScreen>, RegExp]>([
    ['8 bits', { bits: 8 }, /^screen has no true colours/],
    ['a palette', { visual: pseudoColour }, /^screen has no true colours/],
    ['no pixels', { width: 0 }, /^screen has no pixels/],
    ['lines that overlap', { lineBytes: 28 }, /^screen has lines that overlap/],
    ['20000 pixels a side', { width: 20000, height: 1, bits: 16, channels: '11:5 5:6 0:5 0:0' }, /^screen is too large/],
    ['4 billion pixels a side', { height: 0xffffffff }, /^screen is too large/],
    ['lines of gigabytes', { lineBytes: 0xffffffff }, /^screen is too large/],
    ['a colour of 40 bits', { channels: '16:8 8:40 0:8 0:0' }, /^screen has colours outside of its pixels/],
    ['a colour behind the pixel', { channels: '28:8 8:8 0:8 0:0' }, /^screen has colours outside of its pixels/],
    ['a place at the end of all numbers', { channels: '4294967295:8 8:8 0:8 0:0' }, /^screen has colours outside of its pixels/],
  ])('with %s are refused', (_, shape, words) => {
    expect(draw(quarters, { width: 8, height: 4, ...shape })).toMatchObject({ status: 1, said: expect.stringMatching(words) as string });
  });
});

describe('events of the kernel', () => {
  const event = (...lines: string[]): string => lines.map((line) => `${line}\0`).join('');
  const screen = ['ACTION=add', 'DEVPATH=/devices/pci0/graphics/fb0', 'SUBSYSTEM=graphics', 'SEQNUM=1'];
  test.each<[string, string, number]>([
    ['a new frame buffer', event('add@/devices/pci0/graphics/fb0', ...screen), 1],
    ['one that is gone', event('remove@/devices/pci0/graphics/fb0', ...screen), 0],
    ['a new disk', event('add@/devices/pci0/block/sda', 'ACTION=add', 'SUBSYSTEM=block'), 0],
    ['words of another subsystem that begin alike', event('add@/devices/x', 'SUBSYSTEM=graphics2'), 0],
    ['a message without its end', 'add@/devices/x\0SUBSYSTEM=graphics', 1],
    ['a single letter', 'a', 0],
    ['more than a message of the kernel has', event(`add@/${'x'.repeat(20_000)}`, 'SUBSYSTEM=graphics'), 0],
    ['8192 bytes without an end', 'x'.repeat(8192), 0],
  ])('%s', (_, message, expected) => {
    expect(run('events', [], {}, message)).toEqual({ status: 0, stdout: `${expected}\n` });
  });
});

describe.each(engineArchitectures)('for %s', (arch) => {
  test('is one small static program, the same bytes each time', (context) => {
    const compilerPackage = engineTargets[arch].compilerPackage.replace(/^gcc-/, '');
    const compiler = arch === 'amd64' ? 'gcc' : `${compilerPackage}-gcc`;
    if (!existsSync(join(toolchainRoot ?? '', 'usr/bin', compiler))) context.skip(`the toolchain root has no ${compiler}`);
    const build = (out: string): Buffer => {
      mkdirSync(join(folder, out));
      inToolchain('make', '--silent', '-C', inside('src/splash'), `ARCH=${arch}`, `HOST=${inside('src/host')}`, `OUT=${inside(out)}`);
      return readFileSync(join(folder, out, 'minke-splash'));
    };
    const program = build(`${arch}-1`);
    expect({ bits: program[4] === 2 ? 64 : 32, machine: program.readUInt16LE(18) }).toEqual(engineTargets[arch].elf);
    expect(program.toString('latin1')).not.toMatch(/\/ld-linux/);
    expect(program.length).toBeLessThan(1024 * 1024);
    expect(build(`${arch}-2`).equals(program)).toBe(true);
    if (arch !== 'amd64' && arch !== 'i386') return;
    for (const words of [[], ['show'], ['show', 'a', 'b'], ['text', 'now'], ['hide', 'a']]) {
      expect(spawnSync(join(folder, `${arch}-1/minke-splash`), words, { encoding: 'utf8' })).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('usage: minke-splash show PICTURE') as string });
    }
  }, 60_000);
});
