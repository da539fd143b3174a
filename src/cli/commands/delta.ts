import { access, chmod, copyFile, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { sha256File } from '../../cache/index.ts';
import { archs, OsbuildError, type Arch } from '../../model/index.ts';
import { bytesText } from '../../report/index.ts';
import { engineSources, planEngine } from '../build/compose.ts';
import { makeDelta } from '../build/image-delta.ts';
import { withPrivateEngine } from '../build/private-engine.ts';
import { madeFile, Session } from '../build/session.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';

/** Which engine runs here. */
const hostArchs: Partial<Record<NodeJS.Architecture, Arch>> = { x64: 'amd64', arm64: 'aarch64', ia32: 'i386', arm: 'armv7hf' };

export const delta: Command = {
  name: 'delta',
  usage: '<base> <target> --output <file>',
  summary: 'Make a delta between two container images: what a device that has the base loads instead of the target',
  details: '\nBase and target are archives as `docker save` and OCI tools write them, with one image each. The delta is such an archive too: `minke load -i` makes the target of it on a device\nthat has the base, under the target’s name (docs/delta-format.md). The same engine does it as on the device; it takes root.',
  options: {
    output: { type: 'string', short: 'o', value: 'file', help: 'the delta' },
    tag: { type: 'string', short: 't', value: 'name', help: 'name under which a device gets the target (default: the name that it has in its archive)' },
    locked: { type: 'boolean', help: 'fail where a locked package of the toolchain is gone, rather than resolve anew' },
  },
  arguments: { min: 2, max: 2 },
  async run(invocation) {
    const { flags, words, cwd, layout, hostEnvironment: env, signal } = invocation;
    const [basePath = '', targetPath = ''] = words.map((word) => resolve(cwd, word));
    const wanted = flags.text('output');
    if (wanted === undefined) throw new OsbuildError('OSB_USAGE', 'where should the delta go?', { hint: 'say it with --output FILE' });
    const output = resolve(cwd, wanted);
    for (const path of [basePath, targetPath]) {
      await access(path).catch(() => {
        throw new OsbuildError('OSB_USAGE', `there is no file ${path}`, { hint: 'base and target are archives of images, as `docker save -o` writes them' });
      });
    }
    const binary = await hostEngine(invocation);
    await mkdir(dirname(output), { recursive: true });
    const made = await mkdtemp(join(dirname(output), '.delta-'));
    try {
      const file = join(made, 'delta.tar');
      // Results in the cache are no programs: nobody may run them there.
      const program = join(made, 'minke');
      await copyFile(binary, program);
      await chmod(program, 0o700);
      const summary = await withPrivateEngine({ binary: program, folder: layout.work(), env, signal }, (engine) => makeDelta(engine, basePath, targetPath, flags.text('tag'), file));
      await rename(file, output);
      const [{ size: deltaBytes }, { size: targetBytes }] = await Promise.all([stat(output), stat(targetPath)]);
      const line = { type: 'delta', file: output, ...summary, deltaBytes, targetBytes, sha256: await sha256File(output) };
      if (flags.on('json')) invocation.out(`${JSON.stringify(line)}\n`);
      else invocation.out(`${output}: ${bytesText(deltaBytes)} instead of ${bytesText(targetBytes)}, makes ${summary.name} from ${summary.base.slice(0, 19)}\n`);
    } finally {
      await rm(made, { recursive: true, force: true });
    }
    return 0;
  },
};

/** The engine for this machine, built unless it has been. */
async function hostEngine(invocation: Invocation): Promise<string> {
  const arch = hostArchs[process.arch];
  if (arch === undefined || !archs.includes(arch)) throw new OsbuildError('OSB_HOST_UNFIT', `the engine is not built for this machine (${process.arch})`, { hint: `deltas are made on: ${Object.keys(hostArchs).join(', ')}` });
  const project = await openProject(invocation);
  const session = new Session(invocation, project);
  let path = '';
  await session.attended(async () => {
    const { tasks, binary } = await planEngine(arch, await engineSources(invocation.home), invocation, session.world, invocation.flags.on('locked'));
    const keyed = await session.key({ tasks, targets: [binary.task], epoch: project.build.epoch ?? 0 });
    path = session.blobs.path(madeFile(await session.run(keyed, null), binary).sha256);
    return 0;
  });
  return path;
}
