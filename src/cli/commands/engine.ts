import { join } from 'node:path';

import { nearest } from '../../config/index.ts';
import { archs, OsbuildError, type AnyTask, type Arch } from '../../model/index.ts';
import { engineSources, planEngine, planEngineArchive } from '../build/compose.ts';
import { publish } from '../build/publish.ts';
import { madeFile, Session } from '../build/session.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';

export const engine: Command = {
  name: 'engine',
  usage: '--arch <arch>',
  summary: 'Build the container engine: one static binary an architecture',
  details: `\nArchitectures: ${archs.join(', ')}, all. With --tarball also an archive for any Linux: the engine, crun, conmon and nft with all they need, a unit and an installer (docs/engine/daemon.md).`,
  options: {
    arch: { type: 'string', short: 'a', multiple: true, value: 'arch', help: 'which architecture; may be repeated, or several separated by commas, or all' },
    output: { type: 'string', short: 'o', value: 'folder', help: 'where binaries go (default: out/engine in the project, a folder an architecture)' },
    tarball: { type: 'boolean', help: 'also an archive that is installed on any Linux, beside Docker or alone' },
    locked: { type: 'boolean', help: 'fail where a locked package of the toolchain is gone, rather than resolve anew' },
  },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const { flags } = invocation;
    const wanted = parseArchs(flags.texts('arch'));
    const project = await openProject(invocation);
    const session = new Session(invocation, project);
    return session.attended(async () => {
      const sources = await engineSources(invocation.home);
      const planned = new Map<Arch, { built: Awaited<ReturnType<typeof planEngine>>; archive: Awaited<ReturnType<typeof planEngineArchive>> | null }>();
      for (const arch of wanted) {
        const built = await planEngine(arch, sources, invocation, session.world, flags.on('locked'));
        const archive = flags.on('tarball') ? await planEngineArchive(arch, built.binary, invocation, session.world, flags.on('locked')) : null;
        planned.set(arch, { built, archive });
      }
      const all = [...planned.values()];
      const tasks: AnyTask[] = all.flatMap(({ built, archive }) => [...built.tasks, ...(archive?.tasks ?? [])]);
      const keyed = await session.key({ tasks, targets: all.flatMap(({ built, archive }) => [built.binary.task, built.map.task, ...(archive === null ? [] : [archive.archive.task])]), epoch: project.build.epoch ?? 0 });
      const results = await session.run(keyed, null);
      for (const [arch, { built, archive }] of planned) {
        const artifacts = [
          { ref: built.binary, fileName: 'minke', executable: true },
          { ref: built.debug, fileName: 'minke.debug' },
          { ref: built.map, fileName: 'minke.js.map' },
          ...(archive === null ? [] : [{ ref: archive.archive, fileName: archive.fileName }]),
        ].map(({ ref, ...rest }) => ({ ...rest, blob: madeFile(results, ref) }));
        const folder = join(flags.text('output') ?? join(project.folder, 'out', 'engine'), arch);
        if (!(await publish(folder, `engine-${arch}`, artifacts, session.blobs, invocation.emit))) {
          throw new OsbuildError('OSB_CACHE_CORRUPT', `the stored engine for ${arch} was damaged and has been removed`, { hint: 'run the command again: it is made anew' });
        }
      }
      return 0;
    });
  },
};

function parseArchs(words: string[]): Arch[] {
  const wanted = words.flatMap((word) => word.split(',')).filter(Boolean);
  if (wanted.length === 0) throw new OsbuildError('OSB_USAGE', 'which architecture?', { hint: `--arch with one of: ${archs.join(', ')}, all` });
  if (wanted.includes('all')) return [...archs];
  return wanted.map((word) => {
    const arch = archs.find((name) => name === word);
    if (arch) return arch;
    const near = nearest(word, archs);
    throw new OsbuildError('OSB_USAGE', `the engine is not built for "${word}"`, { hint: near ? `did you mean "${near}"?` : `known: ${archs.join(', ')}, all` });
  });
}
