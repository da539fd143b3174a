import { link, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { DeviceSteps, Executors, RecipeSource, StepContext } from '../model/index.ts';
import { OsbuildError } from '../model/index.ts';
import { bootTest } from './boot-test.ts';
import { flasherTest } from './flasher-test.ts';
import { kernelModule } from './kernel-module.ts';
import type { BootTestReport } from './report.ts';
import { takesRelease } from './suites.ts';
import { bluetoothProgram } from './tools.ts';

/** Emulation without hardware support is this much slower than what time-outs are written for. */
const emulationScale = 3;

export const deviceExecutors: Pick<Executors, keyof DeviceSteps> = {
  'device/boot-test': {
    version: 1,
    async run(context) {
      const { machineName, machine, mode, suite, recipes, module, radio, bluetooth } = context.args;
      const work = await context.keep();
      // How a disk is compressed is told by its name, which a blob of the store has not.
      const image = join(context.scratch, 'disk.img.zst');
      await link(context.input('image'), image);
      const report = await bootTest({
        machineName,
        machine,
        mode,
        recipes: recipes.map(({ name, recipe }): RecipeSource => ({ name, recipe, folder: '', files: [] })),
        suite,
        image,
        ...(takesRelease(suite) ? { release: context.input('release') } : {}),
        ...(module === undefined ? {} : { module: context.input('module') }),
        ...(bluetooth === undefined ? {} : { btvirt: join(context.input('bluetooth'), bluetoothProgram) }),
        ...(radio === undefined ? {} : { radio: context.input('radio') }),
        toolsTree: context.input('emulation'),
        busybox: join(context.input('busybox'), 'usr/bin/busybox'),
        work,
        hostEnvironment: { ...context.hostEnvironment },
        scale: emulationScale,
        signal: context.signal,
        emit: context.emit,
        log: context.log,
      });
      await keepReport(context, report, work);
    },
  },
  'device/kernel-module': { version: 1, run: kernelModule },
  'device/flasher-test': {
    version: 1,
    async run(context) {
      const work = await context.keep();
      const images = { image: join(context.scratch, 'disk.img.zst'), flasher: join(context.scratch, 'flasher.img.zst') };
      await link(context.input('image'), images.image);
      await link(context.input('flasher'), images.flasher);
      const { signal, emit, log } = context;
      const report = await flasherTest({ ...context.args, ...images, toolsTree: context.input('emulation'), work, hostEnvironment: { ...context.hostEnvironment }, scale: emulationScale, signal, emit, log });
      await keepReport(context, report, work);
    },
  },
};

/** @throws OSB_BOOT_TEST_FAILED when a check failed: a failure is not a result */
async function keepReport(context: Pick<StepContext, 'output'>, report: BootTestReport, work: string): Promise<void> {
  if (report.outcome === 'failed') throw new OsbuildError('OSB_BOOT_TEST_FAILED', failures(report), { hint: `consoles and the report are in ${work}` });
  await writeFile(context.output('report.json'), `${JSON.stringify(report, null, 2)}\n`);
}

/** One line: how many checks failed, and the names of the first few. */
function failures({ checks }: BootTestReport): string {
  const failed = checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
  const more = failed.length > 3 ? ` and ${failed.length - 3} more` : '';
  return `${failed.length} of ${checks.length} checks failed: ${failed.slice(0, 3).join('; ')}${more}`;
}
