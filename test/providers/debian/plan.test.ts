import { expect, test } from 'vitest';
import { kernelOrigin, type AnyTask, type DebianLock, type ImageRequest, type LockedPackage, type Machine } from '../../../src/model/index.ts';
import { machineRequest, planRoot } from '../../../src/providers/debian/index.ts';

const debian: Machine = {
  description: 'A board',
  arch: 'armv7hf',
  kernel: { debian: { package: 'linux-image-arm64', architecture: 'arm64' }, deviceTrees: ['maker/board.dtb'], initrdModules: ['sdhci'], modules: { exclude: ['kernel/drivers/gpu/**'] } },
  boot: { method: 'u-boot', package: { package: 'u-boot-board', architecture: 'armhf' }, file: 'u-boot.bin' },
  disk: { table: 'mbr' },
};
const { debian: _debian, ...kernel } = debian.kernel;
const artifact = { name: 'linux-maker', url: 'https://maker.invalid/k-1.tar.xz', sha256: 'a'.repeat(64), version: '1.0', architecture: 'arm64' as const, license: 'GPL-2.0-only' };
const vendor: Machine = { ...debian, kernel: { ...kernel, artifact: { ...artifact, image: 'boot/Image', release: '6.6.31-v8+' } } };

const locked = (name: string, sets: string[]): LockedPackage => ({ name, version: '1', architecture: 'armhf', archive: 'main', filename: `pool/${name}.deb`, sizeBytes: 1, sha256: name.padEnd(64, '0').slice(0, 64), sets });

function plan(machine: Machine, options: { artifact?: string } = {}): AnyTask[] {
  const { request } = machineRequest({ name: 'board', machine, file: '/p/board.yaml' }, []);
  const lock: DebianLock = { version: 1, suite: 'trixie', components: ['main'], request, packages: [locked('libc6', ['main']), locked('u-boot-board', ['bootLoader']), ...(machine.kernel.debian ? [locked('linux-image-arm64', ['kernel'])] : [])] };
  const image: ImageRequest = { machine: { name: 'board', machine, file: '/p/board.yaml' }, recipes: [], mode: 'production', os: { name: 'OS', id: 'os', version: '1' }, config: {}, signers: [], epoch: 0, debian: { suite: 'trixie', components: ['main'], exclude: [] } };
  return planRoot(image, lock, { tools: 'tools', engine: null, headers: true, ...options }).tasks;
}

test('a maker\'s kernel is asked of no archive: neither its package nor headers nor another architecture', () => {
  const { request } = machineRequest({ name: 'board', machine: vendor, file: '/p/board.yaml' }, []);
  expect(request).toMatchObject({ architecture: 'armhf', foreign: [], sets: { kernel: { packages: [], dependencies: false }, bootLoader: { packages: ['u-boot-board'] } } });
  expect(Object.keys(request.sets ?? {})).not.toContain('kernelHeaders');
  expect(kernelOrigin(vendor.kernel)).toEqual({ package: 'linux-maker', architecture: 'arm64' });
});

test('a maker\'s kernel takes the same step as every other, of its archive instead of packages', () => {
  const tasks = plan(vendor, { artifact: 'download/board/kernel' });
  expect(tasks.map(({ id }) => id)).not.toContain('debian/board/fetch-kernel');
  expect(tasks.find(({ id }) => id === 'debian/board/kernel')).toEqual({
    id: 'debian/board/kernel',
    kind: 'debian/kernel',
    title: 'Unpack kernel of board',
    args: {
      packages: [],
      modules: { exclude: ['kernel/drivers/gpu/**'], include: [] },
      required: [{ module: 'sdhci', askedBy: 'machine board' }],
      deviceTrees: ['maker/board.dtb'],
      artifact: { ...artifact, loader: 'u-boot', release: '6.6.31-v8+', image: 'boot/Image', modules: null, deviceTrees: null },
    },
    inputs: { artifact: { from: 'task-files', task: 'download/board/kernel' }, tools: { from: 'tree', task: 'tools' } },
    result: 'files',
  });
});

test('the step of a packaged kernel has nothing of it: keys of before stay', () => {
  const task = plan(debian).find(({ id }) => id === 'debian/board/kernel');
  expect(Object.keys(task?.args ?? {})).toEqual(['packages', 'modules', 'required', 'deviceTrees']);
  expect(Object.keys(task?.inputs ?? {})).toEqual(['debs', 'tools']);
  const { request } = machineRequest({ name: 'board', machine: debian, file: '/p/board.yaml' }, []);
  expect(request.sets?.['kernel']).toEqual({ packages: ['linux-image-arm64:arm64'], dependencies: true });
  expect(request.foreign).toEqual(['arm64']);
});
