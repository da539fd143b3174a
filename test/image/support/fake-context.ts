import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256File } from '../../../src/cache/index.ts';
import { run, sandboxCommand, sandboxScript, type Mount } from '../../../src/exec/index.ts';
import type { StepArgs, StepContext, StepKind, ToolCommand } from '../../../src/model/index.ts';

/** The tools tree `image`, which the suite's runner has made; without it, why these tests cannot run. */
export const toolsTree: string | null = (() => {
  const path = process.env['OSBUILD_TEST_TOOLS_TREE'] ?? '';
  return path !== '' && existsSync(join(path, 'usr/bin/mkfs.erofs')) ? path : null;
})();
export const noToolsTree = 'OSBUILD_TEST_TOOLS_TREE names no tools tree (`osbuild tools tools-image` makes one)';

/**
 * Enough of a context to run one executor on real files, with tools in the real sandbox.
 * @param files input name → host path, or name → map for sources
 */
export function fakeContext<K extends StepKind>(
  kind: K,
  args: StepArgs[K],
  files: Record<string, string | Map<string, string>>,
  out: string,
  epoch = 1_750_000_000,
): StepContext<K> & { dispose(): void } {
  const work = mkdtempSync(join(tmpdir(), 'osbuild-test-'));
  const scratch = join(work, 'scratch');
  mkdirSync(scratch);
  mkdirSync(out, { recursive: true });
  const signal = new AbortController().signal;
  const refuse = (): never => {
    throw new Error('test: this context has no store');
  };
  let commands = 0;
  const tool = async (command: ToolCommand): Promise<string> => {
    // Another tree than the usual one is an input as well.
    const named = command.tree === undefined ? toolsTree : files[command.tree];
    if (typeof named !== 'string') throw new Error(noToolsTree);
    const number = commands++;
    const script = join(work, `command${number}.sh`);
    const single = Object.entries(files).flatMap(([name, path]): Array<[string, Mount]> => (typeof path === 'string' ? [[`/in/${name}`, { path, rw: false }]] : []));
    const extra = Object.entries(command.mounts ?? {}).map(([inside, mount]): [string, Mount] => [inside, { path: mount.path, rw: mount.rw ?? false }]);
    const text = sandboxScript({
      tree: named,
      topLevel: topLevel(named),
      root: join(work, `root${number}`),
      mounts: Object.fromEntries([...single, ['/out', { path: out, rw: true }], ['/tmp', { path: scratch, rw: true }], ...extra]),
      env: { PATH: '/usr/sbin:/usr/bin', HOME: '/tmp', LC_ALL: 'C.UTF-8', TZ: 'UTC', SOURCE_DATE_EPOCH: String(epoch), ...command.env },
      argv: command.argv,
      cwd: '/tmp',
      network: false,
    });
    writeFileSync(script, text);
    return run(sandboxCommand(script, false), { env: { PATH: process.env['PATH'] ?? '' }, stdin: command.stdin, stdout: command.stdout, signal, log: () => {} });
  };
  return {
    task: { id: `test:${kind}`, kind, title: kind, args, inputs: {}, result: 'files' },
    args,
    epoch,
    input: (name) => {
      const value = files[name];
      if (typeof value !== 'string') throw new Error(`test: no input ${name}`);
      return value;
    },
    digest: (name) => {
      const value = files[name];
      if (typeof value !== 'string') throw new Error(`test: no input ${name}`);
      return createHash('sha256').update(readFileSync(value)).digest('hex');
    },
    inputs: (name) => {
      const value = files[name];
      if (value === undefined || typeof value === 'string') throw new Error(`test: no inputs ${name}`);
      return value;
    },
    output: (name) => join(out, name),
    tree: () => out,
    adopt: refuse,
    deliver: refuse,
    sha256: sha256File,
    partial: refuse,
    scratch,
    signal,
    log: () => {},
    progress: () => {},
    notice: () => {},
    keep: refuse,
    hostEnvironment: {},
    emit: () => {},
    tool,
    host: (argv, options = {}) => run(argv, { env: { PATH: process.env['PATH'] ?? '', ...options.env }, signal, log: () => {} }),
    hostStream: refuse,
    dispose: () => rmSync(work, { recursive: true, force: true }),
  };
}

function topLevel(tree: string): Array<{ name: string; link: string | null }> {
  const own = new Set(['proc', 'sys', 'dev', 'tmp', 'in', 'out']);
  return readdirSync(tree, { withFileTypes: true })
    .filter((entry) => !own.has(entry.name) && (entry.isDirectory() || entry.isSymbolicLink()))
    .map((entry) => ({ name: entry.name, link: entry.isSymbolicLink() ? readlinkSync(join(tree, entry.name)) : null }));
}
