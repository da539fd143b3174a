import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { pipeline } from 'node:stream/promises';
import { Worker } from 'node:worker_threads';

/** Part of a file in bytes: from `start` up to but without `end`. */
export interface ByteRange {
  start: number;
  end: number;
}

interface Job {
  resolve(hex: string): void;
  reject(error: Error): void;
}

interface Answer {
  id: number;
  hex?: string;
  error?: { message: string; code: string | undefined };
}

/** Less is hashed where it is: asking a thread costs more. */
const threadBytes = 4 << 20;
const threads = Math.min(4, availableParallelism());

/** What a thread runs. It is text since a bundle has no second file to start a thread from. */
const program = `
const { createHash } = require('node:crypto');
const { closeSync, openSync, readSync } = require('node:fs');
const { parentPort } = require('node:worker_threads');
const buffer = Buffer.allocUnsafe(1 << 20);
parentPort.on('message', ({ id, path, ranges }) => {
  let file;
  try {
    file = openSync(path, 'r');
    const hash = createHash('sha256');
    for (const { start, end } of ranges) {
      for (let at = start; at < end; ) {
        const length = readSync(file, buffer, 0, Math.min(buffer.length, end - at), at);
        if (length === 0) break;
        hash.update(buffer.subarray(0, length));
        at += length;
      }
    }
    parentPort.postMessage({ id, hex: hash.digest('hex') });
  } catch (error) {
    parentPort.postMessage({ id, error: { message: error.message, code: error.code } });
  } finally {
    if (file !== undefined) closeSync(file);
  }
});`;

class HashThread {
  readonly jobs = new Map<number, Job>();
  private readonly worker = new Worker(program, { eval: true, stdin: false, execArgv: [] });
  private next = 0;

  constructor() {
    this.worker.unref();
    this.worker.on('message', ({ id, hex, error }: Answer) => {
      const job = this.jobs.get(id);
      this.jobs.delete(id);
      if (this.jobs.size === 0) this.worker.unref();
      if (hex !== undefined) job?.resolve(hex);
      else job?.reject(Object.assign(new Error(error?.message), { code: error?.code }));
    });
    this.worker.on('error', (error) => {
      pool.splice(pool.indexOf(this), 1);
      for (const job of this.jobs.values()) job.reject(error);
      this.jobs.clear();
    });
  }

  digest(path: string, ranges: readonly ByteRange[]): Promise<string> {
    const id = this.next++;
    this.worker.ref(); // the process waits for an answer that is due
    return new Promise((resolve, reject) => {
      this.jobs.set(id, { resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      this.worker.postMessage({ id, path, ranges });
    });
  }
}

const pool: HashThread[] = [];

function idlest(): HashThread {
  const best = pool.toSorted((a, b) => a.jobs.size - b.jobs.size)[0];
  if (best && (best.jobs.size === 0 || pool.length >= threads)) return best;
  const fresh = new HashThread();
  pool.push(fresh);
  return fresh;
}

/**
 * SHA-256 of a file, or of some of its bytes one after the other, in hexadecimal. Large ones are read in a thread of
 * their own: without instructions for it a processor core hashes some 200 MB/s, and everything else would wait.
 */
export async function sha256File(path: string, ranges?: readonly ByteRange[]): Promise<string> {
  const parts = ranges ?? [{ start: 0, end: (await stat(path)).size }];
  const sizeBytes = parts.reduce((sum, { start, end }) => sum + end - start, 0);
  if (sizeBytes >= threadBytes) return idlest().digest(path, parts);
  const hash = createHash('sha256');
  for (const { start, end } of parts) {
    if (end > start) await pipeline(createReadStream(path, { start, end: end - 1 }), hash, { end: false });
  }
  return hash.digest('hex');
}
