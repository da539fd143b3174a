// node logged-disk-server.mjs MOUNTPOINT IMAGE LOG: serves the file IMAGE at MOUNTPOINT (a file) through FUSE, and writes down every write and every flush in LOG, in order, before it is answered.
// A loop device on MOUNTPOINT is a disk whose every state can be made again. Entries of the log: offset and length as 64 bits each, then so many bytes; a flush is 2⁶⁴ − 1 and 0.
// It runs until it is killed, or the mount goes. Numbers and structures are those of the kernel's include/uapi/linux/fuse.h, protocol 7.31.
import { spawnSync } from 'node:child_process';
import { fstatSync, openSync, readSync, writeSync, writevSync } from 'node:fs';

const [mountpoint, imagePath, logPath] = process.argv.slice(2);
const image = openSync(imagePath, 'r+');
const log = openSync(logPath, 'a');
const sizeBytes = fstatSync(image).size;
const device = openSync('/dev/fuse', 'r+');
const MAX_WRITE_BYTES = 1024 * 1024;
const OPCODES = { forget: 2, getattr: 3, setattr: 4, open: 14, read: 15, write: 16, statfs: 17, release: 18, fsync: 20, flush: 25, init: 26, interrupt: 36, destroy: 38, batchForget: 42 };
const [ENOSYS, EIO] = [38, 5];
const REGULAR_FILE = 0o100600;

function attributes() {
  const out = Buffer.alloc(104);
  // Valid for an hour; then inode, size, blocks, and behind the times mode and links.
  out.writeBigUInt64LE(3600n, 0);
  out.writeBigUInt64LE(1n, 16);
  out.writeBigUInt64LE(BigInt(sizeBytes), 24);
  out.writeBigUInt64LE(BigInt(sizeBytes / 512), 32);
  out.writeUInt32LE(REGULAR_FILE, 76);
  out.writeUInt32LE(1, 80);
  out.writeUInt32LE(4096, 96);
  return out;
}

function started() {
  const out = Buffer.alloc(64);
  out.writeUInt32LE(7, 0);
  out.writeUInt32LE(31, 4);
  out.writeUInt32LE(128 * 1024, 8);
  // FUSE_BIG_WRITES, FUSE_MAX_PAGES
  out.writeUInt32LE((1 << 5) | (1 << 22), 12);
  out.writeUInt16LE(16, 16);
  out.writeUInt16LE(12, 18);
  out.writeUInt32LE(MAX_WRITE_BYTES, 20);
  out.writeUInt32LE(1, 24);
  out.writeUInt16LE(MAX_WRITE_BYTES / 4096, 28);
  return out;
}

function note(offset, data) {
  const head = Buffer.alloc(16);
  head.writeBigUInt64LE(offset, 0);
  head.writeBigUInt64LE(BigInt(data.length), 8);
  writevSync(log, [head, data]);
}

/** The answer's body, an error's number, or undefined where none is wanted. */
function answer(opcode, body) {
  switch (opcode) {
    case OPCODES.init:
      return started();
    case OPCODES.getattr:
    case OPCODES.setattr:
      return attributes();
    case OPCODES.open:
      return Buffer.alloc(16);
    case OPCODES.statfs:
      return Buffer.alloc(80);
    case OPCODES.read: {
      const out = Buffer.alloc(body.readUInt32LE(16));
      return out.subarray(0, readSync(image, out, 0, out.length, Number(body.readBigUInt64LE(8))));
    }
    case OPCODES.write: {
      const offset = body.readBigUInt64LE(8);
      const data = body.subarray(40, 40 + body.readUInt32LE(16));
      note(offset, data);
      writeSync(image, data, 0, data.length, Number(offset));
      const out = Buffer.alloc(8);
      out.writeUInt32LE(data.length, 0);
      return out;
    }
    case OPCODES.fsync:
      note(2n ** 64n - 1n, Buffer.alloc(0));
      return Buffer.alloc(0);
    case OPCODES.release:
    case OPCODES.flush:
    case OPCODES.destroy:
      return Buffer.alloc(0);
    case OPCODES.forget:
    case OPCODES.batchForget:
    case OPCODES.interrupt:
      return undefined;
    default:
      return ENOSYS;
  }
}

const mounted = spawnSync('mount', ['-i', '-t', 'fuse', '-o', 'fd=3,rootmode=100000,user_id=0,group_id=0,allow_other', 'logged-disk', mountpoint], { stdio: ['ignore', 'ignore', 'inherit', device] });
if (mounted.status !== 0) process.exit(1);
process.stdout.write('up\n');
const request = Buffer.alloc(MAX_WRITE_BYTES + 4096);
for (;;) {
  let length;
  try {
    length = readSync(device, request);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'EINTR' || error.code === 'EAGAIN') continue;
    // ENODEV: unmounted
    process.exit(error.code === 'ENODEV' ? 0 : 1);
  }
  let body;
  try {
    body = answer(request.readUInt32LE(4), request.subarray(40, length));
  } catch {
    body = EIO;
  }
  if (body === undefined) continue;
  const head = Buffer.alloc(16);
  const data = typeof body === 'number' ? Buffer.alloc(0) : body;
  head.writeUInt32LE(16 + data.length, 0);
  head.writeInt32LE(typeof body === 'number' ? -body : 0, 4);
  request.copy(head, 8, 8, 16);
  writevSync(device, [head, data]);
}
