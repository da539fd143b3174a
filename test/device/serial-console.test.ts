import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';

import { openConsole, plain, posixChecksum, type SerialConsole } from '../../src/device/serial-console.ts';

const folders: string[] = [];
const programs: { kill(signal: 'SIGKILL'): unknown }[] = [];
afterEach(async () => {
  for (const program of programs.splice(0)) program.kill('SIGKILL');
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function logFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'console-'));
  folders.push(folder);
  return join(folder, 'console.log');
}

/** A real shell that prompts like one on a terminal, with lines of a talkative kernel in between. */
async function shellConsole(noise: boolean): Promise<SerialConsole> {
  const shell = spawn('sh', ['-c', 'stty() { :; }; dmesg() { :; }; printf "# "; while IFS= read -r line; do eval "$line"; [ -z "$PS1" ] || printf "# "; done'], { env: { PS1: '# ', PATH: process.env['PATH'] } });
  programs.push(shell);
  const input = new PassThrough();
  input.on('data', (chunk: Buffer) => shell.stdin.write(chunk.toString().replaceAll('\r', '\n')));
  const output = new PassThrough();
  let count = 0;
  shell.stdout.on('data', (chunk: Buffer) => {
    const text = chunk.toString();
    // Tears every third chunk apart, as a kernel message does.
    const middle = Math.floor(text.length / 2);
    output.write(noise && ++count % 3 === 0 ? `${text.slice(0, middle)}\r\n[   12.345678] usb 1-1: new device\r\n${text.slice(middle)}` : text);
  });
  return openConsole({ input, output, log: await logFile(), signal: new AbortController().signal, repeatMs: 300 });
}

describe('a shell on a serial console', () => {
  test('commands give their status and all of their output', async () => {
    const console = await shellConsole(false);
    await console.openShell(10_000);
    expect(await console.run('echo "two  words"; echo error >&2; exit 3')).toEqual({ status: 3, output: 'two  words\nerror\n' });
    expect(await console.run('true')).toEqual({ status: 0, output: '' });
    const long = await console.run('seq 5000');
    expect(long.output.split('\n')).toHaveLength(5001);
  });

  test('kernel messages in the middle of lines do no harm', async () => {
    const console = await shellConsole(true);
    await console.openShell(10_000);
    for (let round = 0; round < 6; round++) expect((await console.run(`seq 1 ${round * 7}`)).output.trim().split('\n').filter(Boolean)).toHaveLength(round * 7);
  });

  test('what never comes is reported with the log and its tail', async () => {
    const console = await shellConsole(false);
    await console.openShell(10_000);
    console.send('echo last-words\r');
    await expect(console.expect(/never/, { timeoutMs: 300, what: 'the prompt' })).rejects.toMatchObject({
      code: 'OSB_BOOT_TEST_FAILED',
      message: expect.stringContaining('the prompt: not seen within'),
      details: { tail: expect.arrayContaining([expect.stringContaining('last-words')]) },
    });
  });

  test('a board that ends wakes whoever waits, and the log keeps its last words and says how it ended', async () => {
    const output = new PassThrough();
    const log = await logFile();
    const console = openConsole({ input: new PassThrough(), output, log, signal: new AbortController().signal });
    const waiting = console.expect(/never/, { timeoutMs: 60_000, what: 'the prompt' });
    output.write('line one\r\nKernel panic');
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.close('QEMU ended with signal SIGKILL');
    await expect(waiting).rejects.toThrow(/QEMU ended with signal SIGKILL/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await readFile(log, 'utf8')).split('\n').map((line) => line.trim().replace(/^[\d.]+ /, ''))).toEqual(['line one', 'Kernel panic', 'QEMU ended with signal SIGKILL', '']);
  });
});

test('colours, cursor movements and overwritten progress stay out of logs', () => {
  expect(plain('\u001b[0;32m  OK  \u001b[0m] Started \u001b[0;1;39mx\u001b[0m.\r')).toBe('  OK  ] Started x.');
  expect(plain('\u001b[!p\u001b[?7hfirst\rsecond\r\r')).toBe('second');
});

test('the checksum is that of cksum(1)', () => {
  for (const text of ['', 'a', 'minke\n', 'x'.repeat(70_000)]) {
    expect(posixChecksum(Buffer.from(text))).toBe(Number(execFileSync('cksum', { input: text }).toString().split(' ')[0]));
  }
});
