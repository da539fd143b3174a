import { describe, expect, test } from 'vitest';

import type { Build, MachineSource } from '../../../src/model/index.ts';
import { nearest } from '../../../src/config/index.ts';
import { resolveLayers } from '../../../src/providers/yocto/index.ts';
import { requestFor } from './support.ts';

const suggest = (word: string, known: string[]): string | null => nearest(word, known);

async function board(): Promise<{ build: Build; machine: MachineSource }> {
  const { project, machine } = await requestFor('raspberrypi3');
  return { build: project.build, machine };
}

describe('layers of a machine', () => {
  test('openembedded-core first, the machine\'s own last, settings of project and machine together', async () => {
    const { build, machine } = await board();
    const resolved = resolveLayers({ ...build, yocto: { ...build.yocto, settings: { RPI_USE_U_BOOT: '0', EXTRA: 'x' } } }, machine, '/project', suggest);
    expect(resolved.layers.map(({ name }) => name)).toEqual(['openembedded-core', 'meta-openembedded', 'meta-virtualization', 'meta-raspberrypi']);
    expect(resolved.settings).toMatchObject({ RPI_USE_U_BOOT: '1', EXTRA: 'x' });
    expect(resolved).toMatchObject({ machine: 'raspberrypi3', release: 'scarthgap', bitbake: { source: { git: expect.stringMatching(/bitbake$/), branch: '2.8' } } });
  });

  test('a path stands for a repository, from the project\'s folder', async () => {
    const { build, machine } = await board();
    const layers = { ...build.yocto?.layers, 'meta-raspberrypi': { path: '../mine', folders: ['.'] } };
    expect(resolveLayers({ ...build, yocto: { ...build.yocto, layers } }, machine, '/srv/project', suggest).layers.at(-1)).toEqual({ name: 'meta-raspberrypi', source: { path: '/srv/mine' }, folders: ['.'] });
  });

  test.each<[string, (build: Build, machine: MachineSource) => [Build, MachineSource], string, string]>([
    ['a machine without a yocto part', (build, machine) => [build, { ...machine, machine: { ...machine.machine, yocto: undefined } as never }], 'OSB_USAGE', 'has no `yocto` part'],
    ['a layer that nothing defines', (build, machine) => [{ ...build, yocto: { ...build.yocto, use: ['meta-openembeded'] } }, machine], 'OSB_CONFIG_INVALID', 'no layer called "meta-openembeded"'],
    ['a layer without a commit', (build, machine) => [{ ...build, yocto: { ...build.yocto, layers: { ...build.yocto?.layers, bitbake: { git: 'https://example.org/bitbake' } } } }, machine], 'OSB_CONFIG_INVALID', 'commit is missing'],
    ['a folder outside of its source', (build, machine) => [{ ...build, yocto: { ...build.yocto, layers: { ...build.yocto?.layers, bitbake: { path: '/b', folders: ['../c'] } } } }, machine], 'OSB_CONFIG_INVALID', 'not inside'],
  ])('%s is a clear error', async (_, change, code, message) => {
    const { build, machine } = await board();
    expect(() => resolveLayers(...change(build, machine), '/project', suggest)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  test('a mistyped layer is guessed', async () => {
    const { build, machine } = await board();
    expect(() => resolveLayers({ ...build, yocto: { ...build.yocto, use: ['meta-openembeded'] } }, machine, '/project', suggest)).toThrow(expect.objectContaining({ hint: 'did you mean "meta-openembedded"?' }));
  });
});
