import { nearest } from '../../config/index.ts';
import { archs, debianArchitectures, OsbuildError } from '../../model/index.ts';
import { Session } from '../build/session.ts';
import { bluetooth, busybox, dataTools, emulation, enginePrograms, imageTools, moduleTools, packager, planToolsTree, sourceTools, testApplications, toolchain, toolchainSpec, type TreeSpec } from '../build/trees.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';

/** All trees by name. `toolchain` builds for every architecture, for tests of the host; images take the one they need. */
export const treeSpecs: TreeSpec[] = byName([
  imageTools,
  dataTools,
  emulation,
  moduleTools,
  bluetooth,
  packager,
  testApplications,
  ...archs.map(toolchain),
  ...archs.map(busybox),
  ...archs.map(enginePrograms),
  ...archs.map((arch) => sourceTools(debianArchitectures[arch])),
  toolchainSpec('toolchain', 'toolchain for all architectures', archs),
]);

/** Architectures share trees. */
function byName(specs: TreeSpec[]): TreeSpec[] {
  return [...new Map(specs.map((spec) => [spec.name, spec])).values()];
}

export const tools: Command = {
  name: 'tools',
  usage: '<tree>',
  summary: 'Make a tools tree (the programs that builds use) and print its folder',
  details: `\nTrees: ${treeSpecs.map((spec) => spec.name).join(', ')}.`,
  options: { locked: { type: 'boolean', help: 'fail where a locked package is gone, rather than resolve anew' } },
  arguments: { min: 1, max: 1 },
  async run(invocation) {
    const { words, flags, layout, out } = invocation;
    const [word = ''] = words;
    const spec = treeSpecs.find((candidate) => candidate.name === word);
    if (!spec) {
      const near = nearest(word, treeSpecs.map((candidate) => candidate.name));
      throw new OsbuildError('OSB_USAGE', `there is no tools tree called "${word}"`, { hint: near ? `did you mean "${near}"?` : `known: ${treeSpecs.map((candidate) => candidate.name).join(', ')}` });
    }
    const project = await openProject(invocation);
    const session = new Session(invocation, project);
    const { tasks, tree } = await planToolsTree(spec, invocation, session.world, { locked: flags.on('locked') });
    const keyed = await session.key({ tasks, targets: [tree], epoch: project.build.epoch ?? 0 });
    await session.run(keyed, null);
    out(`${layout.tree(keyed.keys.get(tree)?.key ?? '')}\n`);
    return 0;
  },
};
