import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { BootTestReport } from '../../device/index.ts';
import { OsbuildError, type MachineSource } from '../../model/index.ts';
import { planBootTest } from '../build/boot-test.ts';
import { composeImages } from '../build/compose.ts';
import { fleet, machinesOption } from '../build/selection.ts';
import { Session } from '../build/session.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { buildImage, lockOptions } from './image.ts';

export const test: Command = {
  name: 'test',
  usage: '--machine <machine>',
  summary: 'Boot the image of a machine in QEMU and run every check of its recipes',
  details: '\nA result is kept with the image: the same image is not booted twice. Takes minutes; consoles are kept when a check fails.',
  options: { ...machinesOption, ...lockOptions },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const project = await openProject(invocation);
    const machines = withLanes(invocation, fleet(invocation, project));
    const session = new Session(invocation, project);
    return session.attended(async () => {
      const { plan, images } = await composeImages(invocation, project, machines, session.world);
      let failures = 0;
      for (const built of images) {
        const boot = await planBootTest(built, invocation, session.world);
        const keyed = await session.key({ ...plan, tasks: [...plan.tasks, ...boot.tasks], targets: [...built.targets, boot.report.task] });
        const folder = await buildImage(invocation, session, keyed, built);
        const before = (await session.missing({ ...keyed, targets: [boot.report.task] })).length === 0;
        try {
          const results = await session.run({ ...keyed, targets: [boot.report.task] }, built.machine.name);
          const blob = results.get(boot.report.task)?.files[boot.report.output];
          if (!blob) throw new Error('a boot test left no report');
          const report = JSON.parse(await readFile(session.blobs.path(blob.sha256), 'utf8')) as BootTestReport;
          if (before) for (const check of report.checks) invocation.emit({ type: 'check', machine: built.machine.name, ...check });
          await session.blobs.export(blob.sha256, join(folder, 'boot-test.json'));
        } catch (error) {
          if (!(error instanceof OsbuildError) || error.code !== 'OSB_BOOT_TEST_FAILED') throw error;
          invocation.err(`osbuild: ${error.message}\n${error.hint ? `  hint: ${error.hint}\n` : ''}`);
          failures++;
        }
      }
      return failures === 0 ? 0 : 1;
    });
  },
};

/** Of all machines those that can be emulated, and a word about the others; a machine asked for by name is tried whatever it is. */
function withLanes({ flags, emit }: Invocation, machines: MachineSource[]): MachineSource[] {
  if (!flags.on('all')) return machines;
  const without = machines.filter(({ machine }) => machine.qemu === undefined).map(({ name }) => name);
  if (without.length > 0) emit({ type: 'notice', level: 'info', code: 'NO_LANE', message: `not emulated, so not tested: ${without.join(', ')}` });
  return machines.filter(({ machine }) => machine.qemu !== undefined);
}
