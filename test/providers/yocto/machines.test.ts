import { describe, expect, test } from 'vitest';

import { loadProject, nearest } from '../../../src/config/index.ts';
import { bootLoaderOrigin, type Machine } from '../../../src/model/index.ts';
import { buildTargets, planYoctoInspection, planYoctoRoot, resolveLayers, yoctoMachine } from '../../../src/providers/yocto/index.ts';
import { home, requestFor } from './support.ts';

const project = await loadProject(home, home);
const supported = [...project.machines.values()].filter(({ machine }) => machine.yocto !== undefined).map(({ name }) => name);

/** Files of boot loader packages that the boot partition and the boot areas are made of, as `<package>/<path>`; globs are left out. */
function bootFiles({ boot }: Machine): string[] {
  const of = (path: string): string => `${bootLoaderOrigin(boot).package}/${path}`;
  if (boot.method === 'systemd-boot') return [of(`usr/lib/systemd/boot/efi/systemd-${boot.efiName.toLowerCase()}`)];
  const firmware = boot.firmware?.files?.filter((file) => !/[*?{[]/.test(file)).map((file) => [boot.firmware?.package?.package, boot.firmware?.folder, file].filter(Boolean).join('/')) ?? [];
  return [of(boot.file), ...(boot.areas ?? []).flatMap(({ file }) => (file === undefined ? [] : [of(file)])), ...firmware];
}

test('the machines of the issue are there', () => {
  expect(supported).toEqual(expect.arrayContaining(['beaglebone-black', 'genericx86-64', 'qemuarm64', 'qemux86-64', 'raspberrypi0-wifi', 'raspberrypi3', 'raspberrypi3-64', 'raspberrypi4-64']));
});

describe.each(supported)('%s', (name) => {
  test('every file that its boot partition and boot areas are made of is one of bitbake\'s deploy folder', () => {
    const machine = project.machines.get(name)?.machine;
    if (machine === undefined) throw new Error(name);
    expect(Object.keys(machine.yocto?.bootLoader ?? {})).toEqual(expect.arrayContaining(bootFiles(machine)));
  });

  test('its boot loader is built, its layers are defined, and it can be planned', async () => {
    const { request, machine } = await requestFor(name);
    const resolved = resolveLayers(project.build, machine, project.folder, (word, known) => nearest(word, known));
    expect(buildTargets(resolved, machine.machine)).toContain(machine.machine.boot.method === 'systemd-boot' ? 'systemd-boot' : 'virtual/bootloader');
    const engine = { bundle: { task: 'engine/bundle', output: 'bundle.js' }, host: { root: '/host', files: [] } };
    const sources = new Map([['meta-minke', { root: '/layer', files: [] }]]);
    const root = planYoctoRoot(request, resolved, { engine, sources });
    const image = root.tasks.find(({ id }) => id === root.kernel.task);
    expect(image?.inputs).toMatchObject({ 'engine-bundle': { from: 'task', task: 'engine/bundle' }, 'engine-host': { from: 'sources', root: '/host' } });
    const only = planYoctoInspection(request, resolved, { engine, sources });
    expect(only.tasks.find(({ id }) => id === only.plan.task)?.args).toEqual(image?.args);
  });
});

test('kernel parameters and architecture of bitbake\'s kernel take the place of Debian\'s, and nothing else does', () => {
  const machine = project.machines.get('beaglebone-black')?.machine;
  if (machine === undefined) throw new Error('no beaglebone-black');
  const seen = yoctoMachine(machine);
  expect(seen.kernel.commandLine).toContain('console=ttyS0,115200');
  expect(seen.kernel.initrdModules).toEqual(machine.kernel.initrdModules);
  expect(seen.boot).toEqual(machine.boot);
});
