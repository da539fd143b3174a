import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { run, sandboxCommand, sandboxScript, shellLine } from '../../src/exec/index.ts';

// The host's own /usr serves as a tools tree: the sandbox is what is tested, not the tools.
let folder: string;
let out: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "osbuild sandbox'"));
  out = join(folder, 'out');
  await mkdir(out);
  await writeFile(join(folder, 'input'), 'from outside');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function inside(command: string, log: string[] = [], signal = new AbortController().signal): Promise<string> {
  const tree = join(folder, 'tree');
  await mkdir(tree, { recursive: true });
  for (const link of ['bin', 'lib', 'lib64', 'sbin']) await symlink(`usr/${link}`, join(tree, link)).catch(() => undefined);
  await symlink('/usr', join(tree, 'usr')).catch(() => undefined);
  const script = join(folder, 'script.sh');
  const text = sandboxScript({
    tree: '',
    topLevel: [{ name: 'usr', link: null }, ...['bin', 'lib', 'lib64', 'sbin'].map((name) => ({ name, link: `usr/${name}` }))],
    root: join(folder, 'root'),
    mounts: { '/in/input': { path: join(folder, 'input'), rw: false }, '/out': { path: out, rw: true } },
    env: { PATH: '/usr/bin:/usr/sbin', ONLY: "it's this" },
    argv: ['sh', '-c', command],
    cwd: '/',
    network: false,
  });
  await writeFile(script, text);
  return run(sandboxCommand(script, false), { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, signal, log: (line) => void log.push(line) });
}

test('sees its inputs and its own environment, and leaves results', async () => {
  expect(await inside('cat /in/input; env | sort; cp /in/input /out/copy')).toMatch(/^from outside(OLDPWD=\/\n)?ONLY=it's this\nPATH=/);
  expect(await readFile(join(out, 'copy'), 'utf8')).toBe('from outside');
});

test('cannot write to inputs or to the tree, not even as root', async () => {
  await expect(inside('id -u; echo x > /in/input')).rejects.toMatchObject({ code: 'OSB_COMMAND_FAILED' });
  await expect(inside('touch /usr/x')).rejects.toThrow(/Read-only/);
  expect(await readFile(join(folder, 'input'), 'utf8')).toBe('from outside');
});

test('sees neither the host nor its network', async () => {
  expect(await inside('ls /home /root /etc 2>/dev/null | wc -l')).toBe('0\n');
  expect(await inside("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '")).toBe('lo\n');
});

test('a failure says how the command ended and what to paste', async () => {
  const log: string[] = [];
  const error = await inside('echo the reason >&2; exit 7', log).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'OSB_COMMAND_FAILED', message: expect.stringMatching(/exit status 7: the reason$/) });
  expect(log).toContain('the reason');
});

test('cancelling ends everything in it', async () => {
  const abort = new AbortController();
  const running = inside('trap "" TERM; sleep 1000 & echo started; wait', [], abort.signal);
  setTimeout(() => abort.abort(), 500);
  await expect(running).rejects.toMatchObject({ code: 'OSB_CANCELLED' });
});

test('a line to paste quotes what a shell would take apart', () => {
  expect(shellLine(['echo', 'a b', "it's", '$x', 'plain-1.0'])).toBe(`echo 'a b' 'it'\\''s' '$x' plain-1.0`);
});
