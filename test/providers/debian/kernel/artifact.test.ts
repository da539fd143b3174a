import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDownloadExecutors, fileFetchDefaults, planFiles } from '../../../../src/downloads/index.ts';
import { OsbuildError, type AnyTask, type Executors, type KernelArtifact, type StepArgs, type StepContext } from '../../../../src/model/index.ts';
import { unpackArtifact } from '../../../../src/providers/debian/kernel/artifact.ts';
import { localDebs } from '../../../support/local-debs.ts';
import { buildPackage } from '../../../support/debian-archive.ts';
import { kernelImages } from '../../../support/kernel-images.ts';
import { hasProgram, need } from '../../../support/need.ts';
import { providerBuild } from '../../../support/provider-build.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-artifact-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const release = '6.6.31-maker';
const artifact = (sha256: string, change: Partial<KernelArtifact> = {}): KernelArtifact => ({ name: 'linux-maker', url: 'https://maker.invalid/kernel', sha256, version: '1.2', architecture: 'arm64', license: 'GPL-2.0-only', sourceUrl: 'https://maker.invalid/source', loader: 'u-boot', release: null, image: null, modules: null, deviceTrees: null, ...change });
const sha256Of = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** A folder with what a maker packs. */
function content(): string {
  const root = path.join(folder, 'content');
  const files: Record<string, string | Buffer> = { [`boot/vmlinuz-${release}`]: kernelImages.arm64(), [`lib/modules/${release}/kernel/a.ko`]: '\0depends=\0', [`lib/modules/${release}/modules.builtin`]: 'kernel/fs/ext4.ko\n' };
  for (const [place, data] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, place)), { recursive: true });
    writeFileSync(path.join(root, place), data);
  }
  return root;
}

function pack(...options: string[]): string {
  const file = path.join(folder, 'kernel');
  execFileSync('tar', [...options, '-cf', file, '-C', content(), '.']);
  return file;
}

const notices: string[] = [];

/** A context whose tools are programs of this host. */
function contextOf(file: string): StepContext<'debian/kernel'> {
  const scratch = mkdtempSync(path.join(folder, 'scratch-'));
  const run = async ([program = '', ...rest]: string[], stdin: string | undefined, stdout: string | undefined): Promise<string> => {
    const input = stdin === undefined ? 'ignore' : openSync(stdin, 'r');
    const output = openSync(stdout ?? '/dev/null', 'w');
    try {
      execFileSync(program, rest, { stdio: [input, output, 'ignore'] });
      return '';
    } catch (cause) {
      throw new OsbuildError('OSB_COMMAND_FAILED', 'it failed', { cause });
    } finally {
      closeSync(output);
    }
  };
  const context: Partial<StepContext<'debian/kernel'>> = {
    args: { packages: [], modules: { exclude: [], include: [] }, required: [], deviceTrees: [] },
    scratch,
    signal: new AbortController().signal,
    inputs: () => new Map([[sha256Of(file), file]]),
    notice: (_level, code) => void notices.push(code),
    tool: ({ argv, stdin, stdout }) => run(argv, stdin, stdout),
    host: (argv, options) => run(argv, undefined, options?.stdout),
  };
  return context as StepContext<'debian/kernel'>;
}

beforeEach(() => void notices.splice(0));

describe('the archive of a maker\'s kernel', () => {
  test.for(['plain', 'gzip', 'xz', 'zstd'])('packed as %s: kernel, modules, and a line of the manifest with licence, address and sources', async (name, context) => {
    need(context, name === 'plain' || hasProgram(name), `${name} is not installed`);
    const options = name === 'plain' ? [] : [`--${name}`];
    const file = pack(...options);
    const { tree, manifest } = await unpackArtifact(contextOf(file), artifact(sha256Of(file)));
    expect([...tree.keys()].toSorted(), name).toEqual([`boot/vmlinuz-${release}`, `usr/lib/modules/${release}/kernel/a.ko`, `usr/lib/modules/${release}/modules.builtin`]);
    expect(manifest.packages).toEqual([expect.objectContaining({ name: 'linux-maker', version: '1.2', architecture: 'arm64', licences: ['GPL-2.0-only'], sha256: sha256Of(file), downloadUrl: 'https://maker.invalid/kernel', sourceUrl: 'https://maker.invalid/source', downloadBytes: readFileSync(file).length })]);
    expect(notices).toEqual(['KERNEL_HEADERS_NONE']);
  });

  test('as a .deb', async () => {
    const files = { [`boot/vmlinuz-${release}`]: kernelImages.arm64().toString('latin1'), [`lib/modules/${release}/kernel/a.ko`]: 'a', [`usr/lib/linux-image-${release}/maker/board.dtb`]: 'tree' };
    const { file } = buildPackage(folder, { name: 'linux-image-maker', files });
    const { tree } = await unpackArtifact(contextOf(file), artifact(sha256Of(file)));
    expect([...tree.keys()].toSorted()).toEqual([`boot/vmlinuz-${release}`, `usr/lib/linux-image-${release}/maker/board.dtb`, `usr/lib/modules/${release}/kernel/a.ko`]);
  });

  test('without modules.builtin says what that means', async () => {
    const file = pack('--exclude=modules.builtin');
    await unpackArtifact(contextOf(file), artifact(sha256Of(file)));
    expect(notices).toEqual(['KERNEL_LISTS_MISSING', 'KERNEL_HEADERS_NONE']);
  });

  test('that is none, or that its maker damaged, is told apart from a wrong one', async (context) => {
    need(context, hasProgram('xz'), 'xz is not installed');
    const page = path.join(folder, 'page');
    writeFileSync(page, '<html>not found</html>');
    await expect(unpackArtifact(contextOf(page), artifact(sha256Of(page)))).rejects.toMatchObject({ code: 'OSB_KERNEL_INCOMPLETE', message: expect.stringContaining('is no archive that can be read'), hint: expect.stringContaining('tar') });
    for (const options of [[], ['--gzip'], ['--xz']]) {
      const file = pack(...options);
      const half = readFileSync(file);
      writeFileSync(file, half.subarray(0, options.length === 0 ? 5000 : half.length - 40));
      await expect(unpackArtifact(contextOf(file), artifact(sha256Of(file)))).rejects.toMatchObject({ code: 'OSB_KERNEL_INCOMPLETE', message: expect.stringMatching(/cannot be read/), hint: expect.stringContaining('maker') });
    }
  });

  test('with a path that leaves it is refused', async () => {
    const file = pack('--transform=s,^./lib,../lib,', '-P');
    await expect(unpackArtifact(contextOf(file), artifact(sha256Of(file)))).rejects.toMatchObject({ code: 'OSB_KERNEL_INCOMPLETE', message: expect.stringMatching(/a path that leaves the archive: \.\.\/lib/) });
  });
});

describe('the step', () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());
  const serve = async (file: string): Promise<string> => {
    server = createServer((_, response) => void response.end(readFileSync(file))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/kernel.tar`;
  };

  /** Through the real runner, store and download; its tools tree is empty, so it ends where depmod would begin. */
  async function build(file: string, change: Partial<KernelArtifact> = {}, args: Partial<StepArgs['debian/kernel']> = {}): Promise<unknown> {
    const one = artifact(sha256Of(file), { url: await serve(file), ...change });
    const fetch = planFiles('artifact', 'kernel', [one]);
    if (fetch === null) throw new Error('no task');
    const debs = localDebs(folder, []);
    const proxies = (): { http: null; https: null } => ({ http: null, https: null });
    const using = providerBuild(path.join(folder, 'cache'), { extra: { 'debian/fetch': debs.fetch, ...createDownloadExecutors({ ...fileFetchDefaults, mirrors: [], proxies }) } as Partial<Executors> });
    const tools: AnyTask = { id: 'tools', kind: 'debian/tree', title: 'tools', args: { architecture: 'amd64', packages: [] }, inputs: { debs: { from: 'task-files', task: 'debs' } }, result: 'tree' };
    const kernel: AnyTask = { id: 'kernel', kind: 'debian/kernel', title: 'kernel', args: { packages: [], modules: { exclude: [], include: [] }, required: [], deviceTrees: [], artifact: one, ...args }, inputs: { artifact: { from: 'task-files', task: 'artifact' }, tools: { from: 'tree', task: 'tools' } }, result: 'files' };
    return using.run([debs.task, tools, fetch, kernel], ['kernel']);
  }

  test('looks for the modules that recipes require, as of every kernel', async () => {
    const file = pack();
    await expect(build(file, {}, { required: [{ module: 'ext4', askedBy: 'recipe a' }, { module: 'bridge', askedBy: 'recipe engine' }] })).rejects.toMatchObject({ code: 'OSB_KERNEL_INCOMPLETE', message: expect.stringMatching(/The kernel 6\.6\.31-maker has no module bridge.*recipe engine/) });
  });

  test('refuses a kernel of another architecture', async () => {
    await expect(build(pack(), { architecture: 'armhf' })).rejects.toMatchObject({ code: 'OSB_KERNEL_INCOMPLETE', message: expect.stringMatching(/for arm64, and the machine wants one for armhf/) });
  });

  test('does not begin with an archive of another SHA-256', async () => {
    const file = pack();
    await expect(build(file, { sha256: 'b'.repeat(64) })).rejects.toMatchObject({
      code: 'OSB_HASH_MISMATCH',
      message: expect.stringMatching(new RegExp(`: linux-maker from http://127.* has the SHA-256 ${sha256Of(file)}, and not b{64}\\.$`)),
      hint: expect.stringContaining('look at what it is now before sha256 in the machine file is'),
    });
  });
});
