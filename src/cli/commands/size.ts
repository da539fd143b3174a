import { readFile } from 'node:fs/promises';

import { sizeReport, type ImageManifest, type SizeReport } from '../../image/index.ts';
import { bytesText } from '../../report/index.ts';
import { artifact, composeImages } from '../build/compose.ts';
import { machineNames, machineOption } from '../build/selection.ts';
import { madeFile, Session } from '../build/session.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';
import { table } from '../table.ts';
import { lockOptions } from './image.ts';

const shownPackages = 25;

export const size: Command = {
  name: 'size',
  usage: '--machine <machine>',
  summary: 'Show what costs what in an image: partitions, sections, packages',
  options: { ...machineOption, ...lockOptions, all: { type: 'boolean', help: `every package, not only the ${shownPackages} largest` } },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const { flags, out } = invocation;
    const project = await openProject(invocation);
    const session = new Session(invocation, project);
    const { plan, images } = await composeImages(invocation, project, machineNames(invocation, project), session.world);
    const keyed = await session.key(plan);
    for (const built of images) {
      const manifest = artifact(built, 'manifest.json');
      const results = await session.run({ ...keyed, targets: [manifest.ref.task] }, built.machine.name);
      const report = sizeReport(JSON.parse(await readFile(session.blobs.path(madeFile(results, manifest.ref).sha256), 'utf8')) as ImageManifest);
      if (flags.on('json')) out(`${JSON.stringify({ type: 'size', machine: built.machine.name, ...report })}\n`);
      else out(sizeText(built.machine.name, report, flags.on('all')));
    }
    return 0;
  },
};

function sizeText(machine: string, report: SizeReport, all: boolean): string {
  const partitions = report.partitions.map(({ name, sizeBytes, usedBytes, freeBytes }) => [name, bytesText(sizeBytes), bytesText(usedBytes), bytesText(freeBytes)]);
  const sections = report.sections.map(({ name, installedBytes, packages }) => [name, bytesText(installedBytes), String(packages)]);
  const packages = report.packages.slice(0, all ? undefined : shownPackages);
  const rows = packages.map(({ name, version, installedBytes, share }) => [name, version, bytesText(installedBytes), `${(share * 100).toFixed(1)}%`]);
  return [
    `${machine}: ${bytesText(report.compressedBytes)} compressed; packages ${bytesText(report.packagesBytes)} before compression\n`,
    table(['PARTITION', 'SIZE', 'USED', 'FREE'], partitions),
    table(['SECTION', 'SIZE', 'PACKAGES'], sections),
    table(['PACKAGE', 'VERSION', 'SIZE', 'SHARE'], rows),
  ].join('\n');
}
