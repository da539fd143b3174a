import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AnyTask, Executors, StepArgs } from '../../../../src/model/index.ts';
import type { TestPackage } from '../../../support/debian-archive.ts';
import { localDebs } from '../../../support/local-debs.ts';
import { providerBuild } from '../../../support/provider-build.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-kernel-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const version = '6.12.1-test';
const base = `usr/lib/modules/${version}`;
const package_ = {
  name: `linux-image-${version}`,
  files: {
    [`boot/vmlinuz-${version}`]: 'kernel',
    [`${base}/kernel/net/bridge/bridge.ko`]: '\0depends=\0',
    [`${base}/modules.builtin`]: 'kernel/fs/ext4/ext4.ko\n',
    [`usr/lib/linux-image-${version}/broadcom/bcm2837-rpi-3-b.dtb`]: 'tree',
  },
};

async function build(change: Partial<StepArgs['debian/kernel']>, packages: TestPackage[] = [package_]): Promise<Map<string, string>> {
  const debs = localDebs(folder, packages);
  const using = providerBuild(path.join(folder, 'cache'), { extra: { 'debian/fetch': debs.fetch } as Partial<Executors> });
  const args: StepArgs['debian/kernel'] = { packages: debs.packages, modules: { exclude: [], include: [] }, required: [], deviceTrees: [], ...change };
  const tools: AnyTask = { id: 'tools', kind: 'debian/tree', title: 'tools', args: { architecture: 'amd64', packages: [] }, inputs: { debs: { from: 'task-files', task: 'debs' } }, result: 'tree' };
  const kernel: AnyTask = { id: 'kernel', kind: 'debian/kernel', title: 'kernel', args, inputs: { debs: { from: 'task-files', task: 'debs' }, tools: { from: 'tree', task: 'tools' } }, result: 'files' };
  return using.run([debs.task, tools, kernel], ['kernel']);
}

describe('a kernel that lacks something', () => {
  test('a module that is neither built in nor a file: who wants it, and what is near', async () => {
    await expect(build({ required: [{ module: 'ext4', askedBy: 'recipe a' }, { module: 'brigde', askedBy: 'recipe engine' }] })).rejects.toMatchObject({
      code: 'OSB_KERNEL_INCOMPLETE',
      message: expect.stringMatching(/no module brigde.*asked for by recipe engine/),
      hint: 'Did you mean bridge?',
    });
  });

  test('a device tree that is not there', async () => {
    await expect(build({ deviceTrees: ['broadcom/bcm2837-rpi-3-c.dtb'] })).rejects.toMatchObject({ code: 'OSB_KERNEL_INCOMPLETE', hint: 'Did you mean broadcom/bcm2837-rpi-3-b.dtb?' });
  });
});
