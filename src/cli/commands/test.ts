import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { suites, type BootTestReport, type Suite } from '../../device/index.ts';
import { OsbuildError } from '../../model/index.ts';
import { planBootTest, planFlasherTest } from '../build/boot-test.ts';
import { composeImages } from '../build/compose.ts';
import { flasherFleet, fleet, fleetWith, machinesOption } from '../build/selection.ts';
import { madeFile, Session } from '../build/session.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { buildImage, lockOptions } from './image.ts';

export const test: Command = {
  name: 'test',
  usage: '--machine <machine>',
  summary: 'Boot the image of a machine in QEMU and run every check of its recipes',
  details: '\nA result is kept with the image: the same image is not booted twice. Takes minutes; consoles are kept when a check fails.',
  options: {
    ...machinesOption,
    ...lockOptions,
    suite: { type: 'string', value: 'suite', help: 'boot (three boots and a power cut; the default), start (two boots, without what is the same on all boards of an architecture), update (into the other slot, and back from releases that fail), config (every key, and a file that is cut off, wrong or gone), network (profiles and scripts from the boot partition, Wi-Fi, a hotspot and a shared port with clients, names, connectivity, a port that goes down), field (partitions that are full or fail, a reset by marker files, a system that hangs), damage (a slot of which a bit or the superblock changes on the disk), faults (an application is updated by delta over 256 kbit/s while the power goes three times) or secure-boot (a firmware gets the keys of the image, and starts nothing else then)' },
    flasher: { type: 'boolean', help: 'try the flasher instead: it writes a disk in QEMU, and the board is started from that disk' },
  },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const project = await openProject(invocation);
    const flasher = invocation.flags.on('flasher');
    const machines = flasherFleet(invocation, fleetWith(invocation, fleet(invocation, project), ({ qemu }) => qemu !== undefined, { code: 'NO_LANE', others: 'not emulated, so not tested' }));
    const suite = chosenSuite(invocation);
    const session = new Session(invocation, project);
    return session.attended(async () => {
      const { plan, images } = await composeImages(invocation, project, machines, session.world, { flasher });
      let failures = 0;
      for (const built of images) {
        const boot = await (flasher ? planFlasherTest(built, invocation, session.world) : planBootTest(built, suite, plan.tasks, invocation, session.world));
        const keyed = await session.key({ ...plan, tasks: [...plan.tasks, ...boot.tasks], targets: [...built.targets, boot.report.task] });
        const folder = await buildImage(invocation, session, keyed, built);
        const before = (await session.missing({ ...keyed, targets: [boot.report.task] })).length === 0;
        try {
          const results = await session.run({ ...keyed, targets: [boot.report.task] }, built.machine.name);
          const blob = madeFile(results, boot.report);
          const report = JSON.parse(await readFile(session.blobs.path(blob.sha256), 'utf8')) as BootTestReport;
          if (before) for (const check of report.checks) invocation.emit({ type: 'check', machine: built.machine.name, ...check });
          await session.blobs.export(blob.sha256, join(folder, `${flasher ? 'flasher' : suite}-test.json`));
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

/** @throws OSB_USAGE */
function chosenSuite({ flags }: Invocation): Suite {
  const given = flags.text('suite') ?? 'boot';
  const suite = suites.find((name) => name === given);
  if (suite === undefined || (flags.on('flasher') && given !== 'boot')) throw new OsbuildError('OSB_USAGE', suite === undefined ? `"${given}" is no suite` : '--flasher is a suite of its own', { hint: suites.join(', ') });
  return suite;
}
