import { execFile, spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { OutputRef, StepArgs, StepContext, StepKind, ToolCommand } from '../../../src/model/index.ts';

/** A tools tree for tests, by environment: the suite's runner makes one; without it these tests say why they skip. */
export const toolsTree: string | null = (() => {
  const path = process.env['OSBUILD_TEST_TOOLS_TREE'] ?? '';
  return path !== '' && existsSync(join(path, 'usr/bin/mkfs.erofs')) && process.getuid?.() === 0 ? path : null;
})();
export const noToolsTree = 'needs root and a tools tree in OSBUILD_TEST_TOOLS_TREE';

/**
 * Enough of a context to run one executor on real files: tools run in the tree by chroot in a mount namespace.
 * @param files input name → host path, or name → map for sources and task-files
 */
export function fakeContext<K extends StepKind>(
  kind: K,
  args: StepArgs[K],
  files: Record<string, string | Map<string, string>>,
  out: string,
  epoch = 1_750_000_000,
): StepContext<K> & { dispose(): void } {
  const scratch = mkdtempSync(join(tmpdir(), 'osbuild-test-'));
  mkdirSync(out, { recursive: true });
  const single = (name: string): string => {
    const value = files[name];
    if (typeof value !== 'string') throw new Error(`test: no input ${name}`);
    return value;
  };
  return {
    task: { id: `test:${kind}`, kind, title: kind, args, inputs: {}, result: 'files' },
    args,
    epoch,
    input: single,
    inputs(name) {
      const value = files[name];
      if (value === undefined || typeof value === 'string') throw new Error(`test: no inputs ${name}`);
      return value;
    },
    output: (name) => join(out, name),
    tree: () => out,
    adopt: async () => false,
    partial: async () => ({ path: join(scratch, 'partial'), release: async () => {} }),
    scratch,
    keep: async () => scratch,
    hostEnvironment: {},
    emit: () => {},
    signal: new AbortController().signal,
    log: () => {},
    progress: () => {},
    notice: () => {},
    tool: (command) => runTool(command, files, out, epoch),
    host: async () => {
      throw new Error('test: no host programs');
    },
    hostStream: () => {
      throw new Error('test: no host programs');
    },
    dispose: () => rmSync(scratch, { recursive: true, force: true }),
  };
}

async function runTool(command: ToolCommand, files: Record<string, string | Map<string, string>>, out: string, epoch: number): Promise<string> {
  if (toolsTree === null) throw new Error(noToolsTree);
  const root = mkdtempSync(join(tmpdir(), 'osbuild-tree-'));
  const steps = [`mount --bind ${toolsTree} ${root}`, `mount -t tmpfs tmpfs ${root}/mnt`];
  // A tree has no folders for us to mount on: a memory file system below /mnt takes them, with links from where they belong.
  const bind = (name: string, from: string): void => void steps.push(`bind ${name} ${from}`);
  bind('/out', out);
  for (const [name, value] of Object.entries(files)) {
    if (typeof value === 'string') bind(`/in/${name}`, value);
    else for (const [inside, path] of value) bind(`/in/${name}/${inside}`, path);
  }
  for (const [name, { path }] of Object.entries(command.mounts ?? {})) bind(name, path);
  const script = `set -e
mount -t tmpfs tmpfs ${root}
for f in ${toolsTree}/*; do b=\${f##*/}; if [ -L $f ]; then cp -a $f ${root}/; else mkdir ${root}/$b; mount --rbind $f ${root}/$b; fi; done
mount -t tmpfs tmpfs ${root}/tmp
bind() { if [ -d $2 ]; then mkdir -p ${root}$1; else mkdir -p $(dirname ${root}$1); touch ${root}$1; fi; mount --bind $2 ${root}$1; }
${steps.slice(2).join('\n')}
exec chroot ${root} "$@"`;
  const environment = { PATH: '/usr/bin:/usr/sbin', HOME: '/tmp', LC_ALL: 'C.UTF-8', TZ: 'UTC', SOURCE_DATE_EPOCH: String(epoch), ...command.env };
  const argv = ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', ...command.argv];
  try {
    return await new Promise<string>((resolve, reject) => {
      const child = execFile('unshare', argv, { env: environment, encoding: command.stdout === undefined ? 'utf8' : 'buffer', maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
        if (error !== null) reject(new Error(`${command.argv.join(' ')}: ${error.message}\n${String(stderr)}`));
        else resolve(String(stdout));
      });
      if (command.stdin !== undefined && child.stdin !== null) void pipeline(createReadStream(command.stdin), child.stdin);
      if (command.stdout !== undefined && child.stdout !== null) child.stdout.pipe(createWriteStream(command.stdout));
    });
  } finally {
    spawnSync('rmdir', [root]);
  }
}

export const output = (task: string, name: string): OutputRef => ({ task, output: name });
