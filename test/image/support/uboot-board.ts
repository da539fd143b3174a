// A board of QEMU whose U-Boot runs a script of ours: its "kernel" does nothing but hand back the device tree that it was started with.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openToolsTree, type ToolsTree } from '../../../src/device/tools-tree.ts';

/** Tools tree with QEMU and builds of U-Boot for it. */
const folder = process.env['OSBUILD_TEST_EMULATION_TREE'] ?? '';
export const noEmulationTree = existsSync(join(folder, 'usr/lib/u-boot')) ? undefined : 'OSBUILD_TEST_EMULATION_TREE names no tools tree (a plain `npm test` makes it)';

const partitionAt = 1024 ** 2;
const diskBytes = 64 * 1024 ** 2;

export interface UbootBoard {
  /** QEMU's words for board and U-Boot; paths in the tools tree, or /disk for the board's folder. */
  words: readonly string[];
  /** Register of a serial port that takes a byte at once. */
  serial: number;
}

export const virt: UbootBoard = { words: ['-machine', 'virt', '-cpu', 'cortex-a53', '-m', '256M', '-bios', '/usr/lib/u-boot/qemu_arm64/u-boot.bin', '-drive', 'if=none,id=disk,format=raw,file=/disk/disk.img', '-device', 'virtio-blk-pci,drive=disk'], serial: 0x0900_0000 };

/** A disk in a folder of its own, with files on the boot partition. */
export async function makeBoard(work: string, board: UbootBoard, files: Readonly<Record<string, string | Buffer>>): Promise<{ start(): Promise<Start>; put(path: string, content: string | Buffer): Promise<void>; text(path: string): Promise<string> }> {
  const tree = openToolsTree({ folder, work: join(work, 'tools'), hostEnvironment: { PATH: process.env['PATH'] ?? '' }, signal: new AbortController().signal });
  const disk = join(work, 'disk');
  await mkdir(disk, { recursive: true });
  const image = Buffer.alloc(diskBytes);
  // One partition: active, FAT32, from 1 MiB to the end.
  image.set([0x80, 0, 0, 0, 0x0c, 0, 0, 0], 446);
  image.writeUInt32LE(partitionAt / 512, 454);
  image.writeUInt32LE((diskBytes - partitionAt) / 512, 458);
  image.writeUInt32LE(0x12345678, 440);
  image.writeUInt16LE(0xaa55, 510);
  await writeFile(join(disk, 'disk.img'), image);
  const run = (name: string, ...argv: string[]): Promise<string> => tree.run({ name, argv, mounts: { '/disk': { path: disk, rw: true } } });
  const at = ['-i', `/disk/disk.img@@${partitionAt}`];
  await run('format', 'mformat', ...at, '-F', '-T', String((diskBytes - partitionAt) / 512), '-h', '255', '-s', '63', '::');
  const made = new Set<string>(['.']);
  const put = async (path: string, content: string | Buffer): Promise<void> => {
    for (const parent of parents(path)) {
      if (!made.has(parent)) await run('folder', 'mmd', ...at, `::/${parent}`);
      made.add(parent);
    }
    await writeFile(join(disk, 'file'), content);
    await run('put', 'mcopy', '-o', ...at, '/disk/file', `::/${path}`);
  };
  for (const [path, content] of Object.entries({ 'A/kernel': kernel(board.serial), 'A/initrd': 'initrd', 'A/boot.env': 'os_cmdline=quiet\n', ...files })) await put(path, content);
  return { put, text: (path) => run('text', 'mtype', ...at, `::/${path}`), start: () => start(tree, disk, board.words) };
}

export interface Start {
  console: string;
  /** What the kernel was given; undefined when none was started. */
  tree?: ReadTree;
}

async function start(tree: ToolsTree, disk: string, words: readonly string[]): Promise<Start> {
  await rm(join(disk, 'serial'), { force: true });
  const argv = ['qemu-system-aarch64', '-nodefaults', '-display', 'none', '-no-reboot', '-semihosting', ...words, '-serial', 'file:/disk/serial'];
  // The kernel's end is that of QEMU, with a status of the kernel's.
  await tree.run({ name: 'qemu', argv: ['timeout', '90', ...argv], mounts: { '/disk': { path: disk, rw: true } } }).catch(() => undefined);
  const said = await readFile(join(disk, 'serial'));
  const at = said.lastIndexOf(Buffer.from('d00dfeed', 'hex'));
  return at < 0 ? { console: said.toString('latin1') } : { console: said.subarray(0, at).toString('latin1'), tree: readDeviceTree(said.subarray(at)) };
}

/** Properties by their path: /chosen/bootargs. */
export type ReadTree = ReadonlyMap<string, string>;

export function readDeviceTree(bytes: Buffer): ReadTree {
  const properties = new Map<string, string>();
  const [structure, strings] = [bytes.readUInt32BE(8), bytes.readUInt32BE(12)];
  const text = (at: number): string => bytes.toString('latin1', at, bytes.indexOf(0, at));
  const path: string[] = [];
  for (let at = structure; ; ) {
    const token = bytes.readUInt32BE(at);
    at += 4;
    if (token === 1) {
      path.push(text(at));
      at += (text(at).length + 4) & ~3;
    } else if (token === 2) path.pop();
    else if (token === 3) {
      const length = bytes.readUInt32BE(at);
      properties.set([...path, text(strings + bytes.readUInt32BE(at + 4))].join('/'), bytes.toString('latin1', at + 8, at + 8 + length).replace(/\0$/, ''));
      at += 8 + ((length + 3) & ~3);
    } else if (token === 9) return properties;
    else if (token !== 4) throw new Error(`token ${token} at ${at}`);
  }
}

function parents(path: string): string[] {
  const folder = dirname(path);
  return folder === '.' ? [] : [...parents(folder), folder];
}

/** An Image for arm64 that writes the device tree, whose address it gets in x0, to a serial port, and ends QEMU by semihosting. */
function kernel(serial: number): Buffer {
  const code = [
    0xb9400401, // ldr w1, [x0, #4]: the tree's size
    0x5ac00821, // rev w1, w1
    (0xd2800002 | ((serial & 0xffff) << 5)) >>> 0, // movz x2, serial
    (0xf2a00002 | ((serial >>> 16) << 5)) >>> 0, // movk x2, serial, lsl 16
    0x38401403, // ldrb w3, [x0], #1
    0xb9000043, // str w3, [x2]
    0x71000421, // subs w1, w1, #1
    0x54ffffa1, // b.ne to ldrb
    0x52800300, // mov w0, #0x18: SYS_EXIT
    0x10000001, // adr x1, .
    0xd45e0000, // hlt #0xf000
    0x14000000, // b .
  ];
  const image = Buffer.alloc(4096);
  image.writeUInt32LE(0x14000010, 0); // b to 64
  image.writeBigUInt64LE(4096n, 16);
  image.writeBigUInt64LE(0xan, 24); // little endian, pages of 4 KiB, anywhere
  image.write('ARM\x64', 56, 'latin1');
  for (const [index, word] of code.entries()) image.writeUInt32LE(word, 64 + index * 4);
  return image;
}
