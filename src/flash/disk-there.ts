import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import { OsbuildError } from '../model/index.ts';
import type { HostConnection } from '../remote/index.ts';
import type { OpenDisk } from './disk.ts';
import { writerCommand } from './writer.ts';

const pack = promisify(gzip);

/** Written and forced to the medium at once. */
const pieceBytes = 4 * 1024 * 1024;
/** So many may be under way: one is sent while another one is written. */
const piecesUnderWay = 2;
/** The other side gives up after a silence: a line that went dead must not hold the disk for ever. */
const [aliveMs, silenceSeconds] = [20_000, 180];
const partingMs = 10_000;

export interface DiskThere {
  connection: HostConnection;
  /** Such as /dev/sdb. */
  path: string;
  sizeBytes: number;
  /** What is blanked there by itself when the connection breaks. */
  headBytes: number;
  signal: AbortSignal;
}

/** Opens a disk of a host that is reached over SSH. Throws OSB_DISK_REFUSED, OSB_REMOTE_HOST, OSB_CANCELLED. */
export async function openDiskThere({ connection, path, sizeBytes, headBytes, signal }: DiskThere): Promise<OpenDisk> {
  const name = `${path} of ${connection.name}`;
  const { order, part, greeting } = await startWriter(connection, writerCommand(path, headBytes, silenceSeconds), name, signal);
  const hello = await greeting;
  if (hello.startsWith('no ')) throw new OsbuildError('OSB_DISK_REFUSED', `${name} is not written: ${hello.replace(/^no (refused )?/, '')}`, { hint: 'log in as root; unmount what is mounted of it there; wait for whoever writes to it' });
  const packs = hello === 'ready gzip';
  const parts: Buffer[] = [];
  let [start, length] = [0, 0];
  const underWay: Array<Promise<void>> = [];

  async function obey(line: string, what: string, payload?: Uint8Array, progress?: (bytes: number) => void): Promise<string> {
    const answer = await order(line, payload, progress);
    if (!answer.startsWith('no ')) return answer;
    const reason = /dd: ([^:]*: )?(.*?)(?= \d+\+\d+ records|$)/.exec(answer)?.[2] ?? answer.slice(3);
    throw new OsbuildError('OSB_FLASH_FAILED', `${name} ${what}: ${reason}`, { hint: 'was it pulled out? otherwise the medium is worn out; take another' });
  }

  async function sendPiece(): Promise<void> {
    if (length === 0) return;
    const bytes = Buffer.concat(parts.splice(0), length);
    const at = start;
    length = 0;
    const packed = packs ? await pack(bytes, { level: 3 }) : bytes;
    const smaller = packed.length < bytes.length;
    while (underWay.length >= piecesUnderWay) await underWay.shift();
    const written = obey(`w ${at} ${bytes.length} ${smaller ? packed.length : 0}`, `took no more at byte ${at}`, smaller ? packed : bytes).then(() => undefined);
    written.catch(() => undefined);
    underWay.push(written);
  }

  async function sync(): Promise<void> {
    await sendPiece();
    while (underWay.length > 0) await underWay.shift();
  }

  return {
    name,
    sizeBytes,
    async write(bytes, position) {
      for (let offset = 0; offset < bytes.length; ) {
        if (length > 0 && (start + length !== position + offset || length >= pieceBytes)) await sendPiece();
        if (length === 0) start = position + offset;
        const taken = Buffer.from(bytes.subarray(offset, offset + pieceBytes - length));
        parts.push(taken);
        length += taken.length;
        offset += taken.length;
      }
    },
    async blank(position, count) {
      await sync();
      await obey(`b ${position} ${count}`, `took no more at byte ${position}`);
    },
    settle: async () => undefined,
    sync,
    dropCache: async () => void (await obey('c', 'cannot be read back')),
    async digest(from, to, progress) {
      const answer = await obey(`h ${from} ${to}`, 'cannot be read back', undefined, progress);
      if (answer.startsWith('e ')) throw new OsbuildError('OSB_FLASH_FAILED', `${name} cannot be read back at byte ${answer.slice(2)}`, { hint: 'the medium is worn out, or not as large as it says' });
      return answer.slice(2);
    },
    keep: async () => void (await obey('k', 'was not let go of')),
    close: part,
  };
}

interface Writer {
  /** What it says first. */
  greeting: Promise<string>;
  /** Sends an order with what belongs to it; its answer. Orders may follow each other before they are answered. */
  order(line: string, payload?: Uint8Array, progress?: (bytes: number) => void): Promise<string>;
  /** Lets it end, and waits a little for that. */
  part(): Promise<void>;
}

interface Waiting {
  progress: (bytes: number) => void;
  resolve(answer: string): void;
  reject(error: unknown): void;
}

async function startWriter(connection: HostConnection, command: string, name: string, signal: AbortSignal): Promise<Writer> {
  const channel = await connection.start(command);
  const { input, output, errors, ended } = channel;
  const waiting: Waiting[] = [];
  let broken: unknown = null;
  let [unread, said] = ['', ''];
  const fail = (error: unknown): void => {
    broken ??= error;
    for (const { reject } of waiting.splice(0)) reject(broken);
  };
  const cancel = (): void => fail(new OsbuildError('OSB_CANCELLED', 'cancelled'));
  const take = (line: string): void => {
    const bytes = /^r (\d+)$/.exec(line)?.[1];
    if (bytes === undefined) return waiting.shift()?.resolve(line);
    try {
      return waiting[0]?.progress(Number(bytes));
    } catch (error) {
      return fail(error);
    }
  };
  output.on('data', (bytes: Buffer) => {
    const lines = (unread + bytes.toString('latin1')).split('\n');
    unread = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  errors.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-2000)));
  input.on('error', fail);
  connection.lost.catch(fail);
  void ended.then((status) => status !== null && fail(new OsbuildError('OSB_FLASH_FAILED', `what writes ${name} there ended with ${status}${said === '' ? '' : `: ${said.trim()}`}`, { hint: 'it takes coreutils and util-linux there; otherwise the medium is worn out' })));
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  const alive = setInterval(() => void input.write('.\n'), aliveMs);
  const answer = (progress: (bytes: number) => void = () => undefined): Promise<string> =>
    new Promise((resolve, reject) => {
      if (broken !== null) reject(broken);
      else waiting.push({ progress, resolve, reject });
    });
  return {
    greeting: answer(),
    async order(line, payload, progress) {
      if (broken !== null) throw broken;
      input.write(`${line}\n`);
      if (payload !== undefined) input.write(payload);
      return answer(progress);
    },
    async part() {
      clearInterval(alive);
      signal.removeEventListener('abort', cancel);
      input.end();
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([ended, connection.lost.catch(() => undefined), new Promise((resolve) => (timer = setTimeout(resolve, partingMs)))]);
      clearTimeout(timer);
      channel.close();
    },
  };
}
