import { access, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { inWorkFolder, sha256File } from '../../cache/index.ts';
import { OsbuildError } from '../../model/index.ts';
import { bytesText } from '../../report/index.ts';
import { hostEngine } from '../build/host-engine.ts';
import { makeDelta } from '../build/image-delta.ts';
import { withPrivateEngine } from '../build/private-engine.ts';
import { Session } from '../build/session.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';

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
    const session = new Session(invocation, await openProject(invocation));
    let binary = '';
    await session.attended(async () => {
      binary = await hostEngine(invocation, session);
      return 0;
    });
    await mkdir(dirname(output), { recursive: true });
    const made = await mkdtemp(join(dirname(output), '.delta-'));
    try {
      const file = join(made, 'delta.tar');
      const summary = await inWorkFolder(layout, 'delta', (folder) => withPrivateEngine({ binary, folder, env, signal }, (engine) => makeDelta(engine, basePath, targetPath, flags.text('tag'), file)));
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
