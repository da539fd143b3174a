import { beforeAll, beforeEach, describe, expect, test, type TestContext } from 'vitest';

import { noTerminals, Session, terminals, type Spawn } from '../support/session.ts';
import { isRoot, needToolchain, testPrograms, toolchainRoot } from './support/binary.ts';

describe('the native host on a terminal', () => {
  let binary = '';
  let spawn: Spawn | null = null;

  beforeAll(async () => {
    if (toolchainRoot !== null && isRoot) binary = `${testPrograms()}/minke`;
    spawn = await terminals();
  });
  beforeEach((context) => {
    needToolchain(context);
    if (spawn === null) context.skip(noTerminals);
  });
  const open = (context: TestContext, ...args: string[]): Session => {
    if (spawn === null) return context.skip(noTerminals);
    return new Session(spawn, args[0] ?? binary, args.slice(1));
  };
  /** A shell around the program shows how the terminal is afterwards. */
  const inShell = (context: TestContext, command: string): Session => open(context, '/bin/sh', '-c', `stty -a | grep -o -- '-*echo ' ; ${command}; echo "code $?"; stty -a | grep -o -- '-*icanon'; stty -a | grep -o -- '-*echo '`);

  test('raw mode: every key at once, and the size of the window', async (context) => {
    const session = open(context, binary, 'tty', 'raw');
    await session.until('tty true 91x33');
    await session.until('ready');
    session.terminal.write('a\u0003\r');
    await session.until('[97');
    await session.until('13]');
    expect(session.output).toMatch(/3(\]\[| )13/); // ^C is a byte, no signal
    session.terminal.resize(120, 50);
    await session.until('resized 120x50');
    session.terminal.write('q');
    expect(await session.ended).toBe(0);
  });

  test('lines that are not shown', async (context) => {
    const session = open(context, binary, 'tty', 'no-echo');
    await session.until('ready');
    session.terminal.write('hidden q\r');
    await session.until('secret was hidden q');
    expect(session.output.split('secret was')[0]).not.toContain('hidden');
  });

  test('the terminal is as before after the end', async (context) => {
    const session = inShell(context, `${binary} tty raw`);
    await session.until('ready');
    session.terminal.write('q');
    await session.until('code 0');
    await session.ended;
    expect(session.output).toMatch(/code 0\s+icanon\s+echo/);
  });

  test('after an exception too', async (context) => {
    const session = inShell(context, `${binary} tty throw`);
    await session.until('ready');
    session.terminal.write('x\r');
    await session.until('code 70');
    await session.ended;
    expect(session.output).toMatch(/code 70\s+icanon\s+echo/);
  });

  test('and after a signal', async (context) => {
    const session = inShell(context, `sh -c 'echo "pid $$."; exec ${binary} tty raw'`);
    await session.until('ready');
    process.kill(Number(/pid (\d+)\./.exec(session.output)?.[1]), 'SIGTERM');
    await session.until('code 143');
    await session.ended;
    expect(session.output).toMatch(/code 143\s+icanon\s+echo/);
  });
});
