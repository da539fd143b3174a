// Programs that are about how a process ends.
import { text } from 'host:bytes';
import * as fs from 'host:fs';
import { exit, kill, log, onSignal, onUncaught, pid, spawn } from 'host:process';
import { fails, sleep } from './check.ts';

function thrower(): never {
  throw new Error('thrown on purpose');
}

export const endings: Record<string, (args: string[]) => unknown> = {
  'end-normally': () => undefined,
  'end-throw': () => thrower(),
  'end-throw-late': async () => (await import('./late.ts')).lateThrower(),
  'end-late-twice': async () => {
    const [one, two] = await Promise.all([import('./late.ts'), import('./late.ts')]);
    log(one === two ? one.loadedBy('both') : 'two copies');
  },
  'end-throw-in-timer': async () => {
    setTimeout(thrower, 1);
    await sleep(1000);
    log('still here');
  },
  'end-reject': async () => {
    void Promise.reject(new TypeError('rejected on purpose'));
    await sleep(1000);
    log('still here');
  },
  'end-reject-handled-later': async () => {
    const promise = Promise.reject(new Error('handled in the same turn'));
    await Promise.resolve();
    promise.catch(() => undefined);
    await sleep(5);
    log('fine');
  },
  'end-pending': () => new Promise(() => undefined),
  'end-exit': ([code = '0']) => exit(Number(code)),
  'end-handler': async () => {
    onUncaught((error) => {
      log(`handler got ${String(error)}`);
    });
    setTimeout(thrower, 1);
    void Promise.reject(new Error('and this'));
    await sleep(20);
    log('went on');
  },
  'end-handler-throws': () => {
    onUncaught(() => {
      throw new Error('the handler fails');
    });
    thrower();
  },
  'end-cause': () => {
    throw new Error('outer', { cause: new Error('inner') });
  },
  'end-by-signal': async () => {
    kill(pid, 'TERM');
    await sleep(1000);
  },
  'end-with-handler-for-signal': async () => {
    onSignal('TERM', (name) => {
      log(`got ${name}`);
      exit(3);
    });
    kill(pid, 'TERM');
    await sleep(5000);
  },
  'child-smoke': async () => {
    const child = spawn({ argv: ['/bin/sh', '-c', 'echo hello'], stdio: ['null', 'pipe-out', 'inherit'] });
    let output = '';
    for (let chunk; (chunk = (await child.stdout?.read()) ?? null) !== null; ) output += text(chunk);
    await child.wait();
    fs.write(1, `child said: ${output}`);
    const error = fails('ENOENT', () => spawn({ argv: ['/no/such/program'] }));
    fs.write(1, `no such: ${error.code} ${error.syscall}\n`);
  },
  'end-deep': () => {
    const dive = (n: number): number => (n === 0 ? 0 : dive(n - 1) + 1);
    return dive(10_000_000);
  },
};
