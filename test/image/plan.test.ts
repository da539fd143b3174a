import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { sharedFiles } from '../../src/image/shared-files.ts';
import { planImage } from '../../src/image/index.ts';
import { kernelOrigin, type ImageRequest, type Machine, type ProvidedRoot } from '../../src/model/index.ts';

const home = new URL('../..', import.meta.url).pathname;
const machines = new Map(
  readdirSync(join(home, 'machines'))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => [file.replace('.yaml', ''), parse(readFileSync(join(home, 'machines', file), 'utf8')) as Machine]),
);
const provided: ProvidedRoot = {
  tasks: [],
  rootfs: { task: 'root', output: 'rootfs.tar' },
  kernel: { task: 'kernel', output: 'vmlinuz' },
  deviceTrees: { task: 'kernel', output: 'trees.tar' },
  bootLoader: { task: 'loader', output: 'loader.tar' },
  modules: { task: 'kernel', output: 'modules.tar' },
  initrdPackages: { task: 'initrd-files', output: 'files.tar' },
  manifest: { task: 'root', output: 'manifest.json' },
};
const given = { tools: 'tools', initrdPrograms: { 'minke-verity': { task: 'program', output: 'minke-verity' } } };
const request = (name: string, machine: Machine): ImageRequest => ({
  machine: { name, machine, file: `machines/${name}.yaml` },
  recipes: [
    {
      name: 'initrd',
      folder: '/recipes/initrd',
      recipe: { description: 'x', initrd: { modules: ['ext4'], programs: ['/usr/bin/busybox'] } },
      files: [
        { path: 'initrd/init', digest: 'a', type: 'executable' },
        { path: 'files/etc/other', digest: 'b', type: 'file' },
      ],
    },
  ],
  mode: 'development',
  os: { name: 'Minke OS', id: 'minke', version: '1.0' },
  config: {},
  signers: [],
  epoch: 1,
  debian: { suite: 'trixie', components: ['main'], exclude: [] },
});

describe.each([...machines])('the plan of %s', (name, machine) => {
  const plan = planImage(request(name, machine), provided, given);

  test('replaces of the files that both slots share those that work with whatever else is there', () => {
    const { boot } = machine;
    const own = boot.method === 'systemd-boot' ? [`EFI/BOOT/${boot.efiName}`] : ['boot.scr', ...(name.startsWith('raspberry') && boot.uImage === undefined ? ['u-boot.bin'] : [])];
    expect(sharedFiles(boot)).toEqual(own);
  });

  test('names every file that it hands out, once, and makes it', () => {
    const names = plan.artifacts.map(({ fileName }) => fileName);
    expect(names).toEqual([
      `minke-${name}-1.0.img.zst`,
      `minke-${name}-1.0.bmap`,
      `minke-${name}-1.0.os.tar`,
      'manifest.json',
      'sbom.cdx.json',
      'image.json',
      'fingerprint.sha256',
      'SHA256SUMS',
    ]);
    const ids = new Set(plan.tasks.map(({ id }) => id));
    for (const { ref } of plan.artifacts) expect(ids).toContain(ref.task);
  });

  test('hands out the headers of its kernel where there are any, and its papers name them', () => {
    const kernelHeaders = { task: 'headers', output: 'kernel-headers.tar.zst' };
    const { artifacts, tasks } = planImage(request(name, machine), { ...provided, kernelHeaders }, given);
    expect(artifacts.find(({ fileName }) => fileName === `minke-${name}-1.0.kernel-headers.tar.zst`)?.ref).toEqual(kernelHeaders);
    expect(tasks.find(({ kind }) => kind === 'image/describe')?.inputs['headers']).toEqual({ from: 'task', ...kernelHeaders });
    expect(tasks.filter(({ inputs }) => Object.values(inputs).some((input) => input.from !== 'sources' && input.task === 'headers')).map(({ kind }) => kind)).toEqual(['image/describe']);
  });

  test('reads only what the provider, the tools or an earlier task make', () => {
    const known = new Set(['tools', 'root', 'kernel', 'loader', 'initrd-files', 'program']);
    for (const task of plan.tasks) {
      for (const input of Object.values(task.inputs)) if (input.from !== 'sources') expect(known).toContain(input.task);
      known.add(task.id);
    }
  });

  test('does not depend on how the board is emulated, and its initrd not on files of the root', () => {
    const { qemu: _, ...rest } = machine;
    expect(planImage(request(name, rest), provided, given)).toEqual(plan);
    const initrd = plan.tasks.find(({ kind }) => kind === 'image/initrd');
    expect(Object.values(initrd?.inputs ?? {}).filter((input) => input.from === 'task' && input.task === 'root')).toEqual([]);
    expect(initrd?.inputs['scripts:initrd']).toMatchObject({ files: [{ path: 'initrd/init' }] });
  });

  test('has the initrd map the root: the program and the modules are in it', () => {
    const initrd = plan.tasks.find(({ kind }) => kind === 'image/initrd');
    expect(initrd?.args).toMatchObject({ built: ['minke-verity'], modules: expect.arrayContaining(['dm-mod', 'dm-verity', 'crypto-sha256']) });
    expect(initrd?.inputs['built:minke-verity']).toEqual({ from: 'task', ...given.initrdPrograms['minke-verity'] });
  });

  test('tells the kernel to use a GPT’s copy, where there is a GPT, and to restart when it fails', () => {
    const boot = plan.tasks.find(({ kind }) => kind === 'image/boot');
    const commandLine = (boot?.args as { commandLine: string[] } | undefined)?.commandLine ?? [];
    expect(commandLine.includes('gpt')).toBe(machine.disk.table === 'gpt');
    expect(commandLine).toContain('panic=10');
    expect(commandLine[0]).toMatch(/^console=/);
  });

  test('hands the words of recipes to the kernel last, so that they have the last word, in images and their updates but not in flashers', () => {
    const asked = request(name, machine);
    const recipes = [...asked.recipes, { name: 'splash', folder: '/recipes/splash', recipe: { description: 'x', kernelParameters: ['quiet', 'panic=10'] }, files: [] }];
    const { tasks } = planImage({ ...asked, recipes }, provided, given);
    const lines = tasks.filter(({ kind }) => kind === 'image/boot' || kind === 'image/update').map(({ args }) => (args as { commandLine: string[] }).commandLine);
    expect(lines).toHaveLength(2);
    for (const line of lines) expect([line.at(-1), line.filter((word) => word === 'panic=10').length]).toEqual(['quiet', 1]);
  });
});

describe('a kernel of its maker', () => {
  test('is known to every step that is told of the machine, as one of a package is', () => {
    const qemu = machines.get('qemuarm64');
    if (qemu === undefined) throw new Error('there is no qemuarm64');
    const artifact = { name: 'linux-maker', url: 'https://maker.invalid/k.tar', sha256: 'a'.repeat(64), version: '1', architecture: 'arm64' as const, license: 'GPL-2.0-only' };
    const { debian: _debian, ...kernel } = qemu.kernel;
    const { tasks } = planImage(request('board', { ...qemu, kernel: { ...kernel, artifact } }), provided, given);
    const told = tasks.flatMap(({ args }) => ('machine' in args && typeof args.machine === 'object' && 'kernel' in args.machine ? [args.machine.kernel] : []));
    expect(told.length).toBeGreaterThan(1);
    for (const one of told) expect(kernelOrigin(one)).toEqual({ package: 'linux-maker', architecture: 'arm64' });
  });
});

describe('Secure Boot', () => {
  const secureBoot = { certificate: 'PEM', fingerprint: 'f'.repeat(64), enroll: { root: '/keys', files: [{ path: 'db.auth', digest: 'd', type: 'file' as const }] } };
  const planned = (name: string) => {
    const machine = machines.get(name);
    if (machine === undefined) throw new Error(name);
    return planImage({ ...request(name, machine), secureBoot }, provided, given).tasks;
  };

  test('signs kernel, initrd and loader as one step, which alone the boot partition and the release have them from', () => {
    const tasks = planned('genericx86-64');
    const task = (kind: string) => tasks.find((one) => one.kind === kind);
    expect(task('secure-boot/sign')).toMatchObject({ args: { slots: true, loader: 'usr/lib/systemd/boot/efi/systemd-bootx64.efi', stub: 'usr/lib/systemd/boot/efi/linuxx64.efi.stub' } });
    expect(task('image/boot')).toMatchObject({ args: { unified: { enroll: ['db.auth'] } }, inputs: { kernel: { task: 'image/genericx86-64/sign', output: 'kernel.efi' }, loader: { task: 'image/genericx86-64/sign', output: 'loader.efi' }, enroll: { from: 'sources', root: '/keys' } } });
    expect(task('image/boot')?.inputs).not.toHaveProperty('initrd');
    expect(task('image/update')).toMatchObject({ args: { unified: { certificate: secureBoot.fingerprint } } });
  });

  test('is nothing to a board that U-Boot starts', () => {
    const tasks = planned('qemuarm64');
    expect(tasks.map(({ kind }) => kind)).not.toContain('secure-boot/sign');
    expect(tasks.find(({ kind }) => kind === 'image/boot')?.inputs).toHaveProperty('initrd');
  });
});
