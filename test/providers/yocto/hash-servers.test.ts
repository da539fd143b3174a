import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { SharedState } from '../../../src/providers/yocto/layers/resolve.ts';
import { bitbake, core, needBitbake } from './checkouts.ts';
import { freePorts, serve, served } from './serve.ts';

const there = bitbake !== '' && core !== '';

/** bitbake's own client: each call of the list is made, and told as what it returned or as the error that it met. */
const client = `import json, sys
sys.path.insert(0, sys.argv[1] + "/lib")
import bb.asyncrpc, hashserv
told = []
with hashserv.create_client(sys.argv[2]) as one:
    for name, *words in json.loads(sys.argv[3]):
        try:
            told.append(getattr(one, name)(*words))
        except bb.asyncrpc.InvokeError as error:
            told.append({"refused": str(error)})
print(json.dumps(told))
`;
type Call = ['get_unihash' | 'report_unihash' | 'report_unihash_equiv', ...string[]];
async function ask(server: string | undefined, ...calls: Call[]): Promise<unknown[]> {
  const { stdout } = await execa('python3', ['-c', client, bitbake, server ?? '', JSON.stringify(calls)], { timeout: 60_000 });
  return JSON.parse(stdout) as unknown[];
}

const method = 'osbuild.test';
const hash = (name: string): string => createHash('sha256').update(name).digest('hex');
/** Hashes of a task, of what it made, and the one that it goes by. */
const task = (name: string) => ({ own: hash(`${name} task`), output: hash(`${name} output`), known: hash(`${name} known`) });
const found = (one: ReturnType<typeof task>): Call => ['get_unihash', method, one.own];
const report = (one: ReturnType<typeof task>): Call => ['report_unihash', one.own, method, one.output, one.known];

let work: string;
const running: Array<ReturnType<typeof serve>> = [];
let first: SharedState;
let second: SharedState;
let readOnly: SharedState;

async function start(name: string, ...more: string[]): Promise<SharedState> {
  const serving = serve(join(work, name), await freePorts(), ...more);
  running.push(serving);
  return served(serving);
}

beforeAll(async () => {
  if (!there) return;
  work = mkdtempSync(join(tmpdir(), 'osbuild-hashes-'));
  first = await start('first');
  second = await start('second', '--upstream', first.hashServer ?? '');
  readOnly = await start('read-only', '--upstream', first.hashServer ?? '', '--read-only');
}, 300_000);

afterAll(async () => {
  for (const serving of running) serving.kill('SIGTERM');
  await Promise.all(running);
  if (there) rmSync(work, { recursive: true, force: true });
});

describe('hash equivalence servers that ask another, with bitbake’s client', { timeout: 120_000 }, () => {
  beforeEach((context) => needBitbake(context));

  test('what the first was told is found through those that ask it', async () => {
    const one = task('one');
    expect(await ask(second.hashServer, found(one))).toEqual([null]);
    expect(await ask(first.hashServer, report(one))).toEqual([expect.objectContaining({ unihash: one.known })]);
    expect(await ask(second.hashServer, found(one))).toEqual([one.known]);
    expect(await ask(readOnly.upstreamHashServer, found(one))).toEqual([one.known]);
  });

  test('another task with the same output goes by the hash that the first knows', async () => {
    const one = task('same');
    await ask(first.hashServer, report(one));
    const other = { ...task('other'), output: one.output };
    expect(await ask(second.hashServer, report(other), found(other))).toEqual([expect.objectContaining({ unihash: one.known }), one.known]);
  });

  test('what the second is told stays with it', async () => {
    const mine = task('mine');
    await ask(second.hashServer, report(mine));
    expect(await ask(second.hashServer, found(mine))).toEqual([mine.known]);
    expect(await ask(first.hashServer, found(mine))).toEqual([null]);
  });

  test('a read-only one is printed as one to ask alone, and keeps nothing of what it is told', async () => {
    expect(readOnly).not.toHaveProperty('hashServer');
    const two = task('two');
    const [, after, equivalent] = await ask(readOnly.upstreamHashServer, report(two), found(two), ['report_unihash_equiv', two.own, method, two.known]);
    expect(after).toBeNull();
    expect(equivalent).toEqual({ refused: expect.stringContaining('not allowed') });
    expect(await ask(readOnly.upstreamHashServer, found(two))).toEqual([null]);
    expect(await ask(first.hashServer, found(two))).toEqual([null]);
  });
});
