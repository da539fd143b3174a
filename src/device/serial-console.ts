import { createWriteStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

import { OsbuildError } from '../model/index.ts';

export interface CommandResult {
  status: number;
  /** Standard output and error together, as the console has no way to keep them apart. */
  output: string;
}

/** The serial console of a board: everything it prints is kept; text and commands can be sent. */
export interface SerialConsole {
  log: string;
  /** All text so far. */
  text(): string;
  tail(lines: number): string[];
  send(text: string): void;
  /** Resolves with the match of a pattern in the text from `from` (default: from now on). */
  expect(pattern: RegExp, options: { timeoutMs: number; what: string; from?: number }): Promise<RegExpExecArray>;
  /** Position to hand to `expect`, so that nothing printed in between is missed. */
  position(): number;
  /** Waits for a shell and prepares it for `run`. In development root is logged in; a login prompt is answered too. */
  openShell(timeoutMs: number): Promise<void>;
  /** Runs one command in the shell; kernel messages in between do no harm. */
  run(command: string, timeoutMs?: number): Promise<CommandResult>;
  /** Nothing comes any more; the reason is the log's last line. */
  close(reason: string): void;
}

/** How long an answer is waited for before it is asked for again. */
const defaultRepeatMs = 15_000;

export interface ConsoleOptions {
  input: Writable;
  output: Readable;
  log: string;
  signal: AbortSignal;
  repeatMs?: number;
}

export function openConsole({ input, output, log, signal, repeatMs = defaultRepeatMs }: ConsoleOptions): SerialConsole {
  const file = createWriteStream(log, { flags: 'a' });
  const started = Date.now();
  const waiting = new Set<() => void>();
  let text = '';
  let pendingLine = '';
  let closed: string | null = null;
  let commands = 0;

  output.setEncoding('utf8');
  output.on('data', (chunk: string) => {
    text += chunk;
    const lines = (pendingLine + chunk).split('\n');
    pendingLine = lines.pop() ?? '';
    for (const line of lines) file.write(`${((Date.now() - started) / 1000).toFixed(2).padStart(8)} ${plain(line)}\n`);
    for (const wake of waiting) wake();
  });
  input.on('error', () => undefined); // QEMU may end while text is on its way to it; `closed` tells

  const tail = (lines: number): string[] => text.trimEnd().split('\n').slice(-lines).map(plain);
  const failure = (message: string): OsbuildError =>
    new OsbuildError('OSB_BOOT_TEST_FAILED', message, { hint: `the console's log is ${log}`, details: { consoleLog: log, tail: tail(40) } });

  const expect: SerialConsole['expect'] = (pattern, { timeoutMs, what, from = text.length }) =>
    new Promise((resolve, reject) => {
      const look = (): boolean => {
        const match = new RegExp(pattern.source, pattern.flags.replace('g', '')).exec(text.slice(from));
        if (match) return settle(() => resolve(match));
        if (closed !== null) return settle(() => reject(failure(`${what}: ${closed}`)));
        if (signal.aborted) return settle(() => reject(new OsbuildError('OSB_CANCELLED', 'cancelled')));
        return false;
      };
      const settle = (act: () => void): boolean => {
        clearTimeout(timer);
        waiting.delete(look);
        signal.removeEventListener('abort', look);
        act();
        return true;
      };
      const timer = setTimeout(() => settle(() => reject(failure(`${what}: not seen within ${Math.round(timeoutMs / 1000)} s`))), timeoutMs);
      waiting.add(look);
      signal.addEventListener('abort', look);
      look();
    });

  const send = (words: string): void => {
    if (closed === null) input.write(words);
  };

  /** Sends a line until it is answered: a getty that starts at that very moment swallows what was typed. */
  const ask = async (line: string, answer: RegExp, timeoutMs: number, what: string): Promise<RegExpExecArray> => {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const from = text.length;
      send(line);
      const remaining = deadline - Date.now();
      try {
        return await expect(answer, { timeoutMs: Math.min(repeatMs, Math.max(remaining, 1)), what, from });
      } catch (error) {
        if (closed !== null || signal.aborted || Date.now() >= deadline) throw error;
      }
    }
  };

  const openShell = async (timeoutMs: number): Promise<void> => {
    const deadline = Date.now() + timeoutMs;
    const left = (): number => Math.max(deadline - Date.now(), 1);
    const found = await ask('\r', /(login: $)|([#$] $)/, left(), 'a shell on the serial console');
    if (found[1] !== undefined) await ask('root\r', /[#$] $/, left(), 'the shell after the login');
    // Not split by the echo of what is typed: the answer is computed.
    await ask(`PS1=; PS2=; stty -echo cols 500; dmesg -n 1; set +m; echo ready-$((40+2))\r`, /ready-42\r*\n/, left(), 'the shell on the serial console');
  };

  const run: SerialConsole['run'] = async (command, timeoutMs = 60_000) => {
    const mark = `c${++commands}x${Math.floor(Math.random() * 1e9).toString(36)}`;
    const encoded = Buffer.from(command, 'utf8').toString('base64');
    const from = text.length;
    // The output waits in a variable, encoded, so that it can be printed again when a kernel message tore a line apart.
    const words = encoded.match(/.{1,900}/g) ?? [''];
    send(`K=\r`);
    for (const word of words) send(`K=\${K}${word}\r`);
    send(`O=$( { echo $K | base64 -d | sh; echo "$?" >/tmp/.${mark}; } 2>&1 | base64 -w 100); S=$(cat /tmp/.${mark}; rm -f /tmp/.${mark})\r`);
    const deadline = Date.now() + timeoutMs;
    for (let attempt = 0; ; attempt++) {
      const tag = `${mark}n${attempt}`;
      // The quotes keep the echo of what is typed from looking like the answer.
      const typed = `${tag.slice(0, 1)}""${tag.slice(1)}`;
      send(`echo "$O" | sed "s/^/${typed}:/"; echo ${typed}=$S=$(echo "$O" | cksum | cut -d" " -f1)=\r`);
      const what = `\`${command.slice(0, 80)}\` on the serial console`;
      let end;
      try {
        end = await expect(new RegExp(`${tag}=(\\d+)=(\\d+)=`), { timeoutMs: Math.max(Math.min(repeatMs, deadline - Date.now()), 1), what, from });
      } catch (error) {
        if (closed !== null || signal.aborted || Date.now() >= deadline) throw error;
        continue; // still running, or its last line was torn apart
      }
      const lines = [...text.slice(from, from + end.index).matchAll(new RegExp(`${tag}:([A-Za-z0-9+/=]*)\\r*\\n`, 'g'))].map((match) => match[1] ?? '');
      if (posixChecksum(Buffer.from(`${lines.join('\n')}\n`)) === Number(end[2])) {
        return { status: Number(end[1]), output: Buffer.from(lines.join(''), 'base64').toString('utf8') };
      }
      if (Date.now() >= deadline) throw failure(`${what}: the output was torn apart each time`);
    }
  };

  return {
    log,
    text: () => text,
    tail,
    send,
    expect,
    position: () => text.length,
    openShell,
    run,
    close: (reason) => {
      closed ??= reason;
      if (pendingLine) file.write(`${plain(pendingLine)}\n`);
      file.write(`${reason}\n`);
      pendingLine = '';
      file.end();
      for (const wake of waiting) wake();
    },
  };
}

const escape = String.fromCharCode(27);
const controlSequence = new RegExp(`${escape}(\\[[0-9;?!]*[ -/]*[@-~]|[()][A-Za-z0-9]|[=>c])`, 'g');

/** A line without colours, cursor movements and what a progress display wrote over. */
export function plain(line: string): string {
  const shown = line.replace(controlSequence, '').replace(/\r+$/, '');
  return shown.slice(shown.lastIndexOf('\r') + 1);
}

/** The checksum of cksum(1): CRC-32 of POSIX over the bytes and their count. */
export function posixChecksum(bytes: Uint8Array): number {
  let crc = 0;
  const feed = (byte: number): void => {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  };
  for (const byte of bytes) feed(byte);
  for (let length = bytes.length; length > 0; length = Math.floor(length / 256)) feed(length & 0xff);
  return ~crc >>> 0;
}
