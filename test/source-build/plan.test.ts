import { describe, expect, test } from 'vitest';
import type { LockedPackage, LockedSource, Machine, MachineSource, RecipeSource } from '../../src/model/index.ts';
import { machineRequest } from '../../src/providers/debian/index.ts';
import { planKernel, planUboot, recipeFragmentFiles, sourceBuildPackages, type FragmentFile } from '../../src/source-build/index.ts';
import { buildKernel, configureKernel, kernelEnvironment } from '../../src/source-build/kernel.ts';
import { buildUboot, configureUboot } from '../../src/source-build/uboot.ts';

const machine: Machine = {
  description: 'A board',
  arch: 'armv7hf',
  kernel: { source: { package: 'linux-source-6.12', architecture: 'armhf', fragments: ['kernel/board.config'] } },
  boot: { method: 'u-boot', source: { package: 'u-boot', architecture: 'armhf', base: 'board_defconfig' }, file: 'u-boot.img', areas: [{ name: 'spl', file: 'spl/boot.bin', offsetBytes: 1024, sizeBytes: 512 }, { name: 'env', offsetBytes: 2048, sizeBytes: 512 }] },
  disk: { table: 'mbr' },
};
const source: MachineSource = { name: 'board', machine, file: '/p/machines/board.yaml' };
const locked: LockedPackage = { name: 'linux-source-6.12', version: '6.12.1-1', architecture: 'all', archive: 'main', filename: 'pool/main/l/linux/linux-source-6.12_6.12.1-1_all.deb', sizeBytes: 1, sha256: 'a'.repeat(64) };
const uboot: LockedSource = { name: 'u-boot', version: '1-1', files: [{ archive: 'main', filename: 'pool/main/u/u-boot/u-boot_1.orig.tar.xz', sizeBytes: 1, sha256: 'b'.repeat(64) }, { archive: 'main', filename: 'pool/main/u/u-boot/u-boot_1-1.debian.tar.xz', sizeBytes: 1, sha256: 'c'.repeat(64) }] };
const fragment = (name: string): FragmentFile => ({ name, root: `/p/${name}`, file: { path: 'x.config', digest: name, type: 'file' } });
const recipe = (name: string, paths: string[]): RecipeSource => ({ name, recipe: { description: name }, folder: `/r/${name}`, files: paths.map((path) => ({ path, digest: path, type: 'file' })) });

describe('what is asked of the archive', () => {
  test('the package of the sources alone, and the source package of U-Boot, with who asks', () => {
    const { request, askedBy } = machineRequest(source, []);
    expect(request).toMatchObject({ architecture: 'armhf', foreign: [], sources: ['u-boot'], sets: { kernel: { packages: ['linux-source-6.12'], dependencies: false }, bootLoader: { packages: [] } } });
    expect(askedBy.get('u-boot')).toEqual(['machine board']);
  });

  test('a machine of binary packages has no sources in its request: its lock stays as it is', () => {
    const binary: Machine = { ...machine, kernel: { debian: { package: 'linux-image-armmp', architecture: 'armhf' } }, boot: { method: 'u-boot', package: { package: 'u-boot-imx', architecture: 'armhf' }, file: 'u' } };
    const { request } = machineRequest({ ...source, machine: binary }, []);
    expect(Object.keys(request)).not.toContain('sources');
    expect(request.sets?.['kernel']).toEqual({ packages: ['linux-image-armmp'], dependencies: true });
  });
});

describe('the tasks', () => {
  test('of a kernel: sources by their digest, fragments of recipes first, none of another kind', () => {
    const recipes = [recipe('kernel', ['fragments/minke.config', 'fragments/notes.md', 'files/etc/x.config']), recipe('wifi', ['fragments/deep/no.config'])];
    const fragments = [...recipeFragmentFiles({ recipes }), fragment('machines/kernel/board.config')];
    expect(fragments.map(({ name }) => name)).toEqual(['recipes/kernel/fragments/minke.config', 'machines/kernel/board.config']);
    expect(fragments[0]).toMatchObject({ root: '/r/kernel/fragments', file: { path: 'minke.config' } });
    const kernelSource = machine.kernel.source;
    if (kernelSource === undefined) throw new Error('the machine has none');
    const { task, tar } = planKernel(source, kernelSource, { ...locked, sets: ['kernel'] }, fragments, { fetch: 'f', tools: 't' });
    expect(task.args).toEqual({
      package: { archive: 'main', filename: locked.filename, sizeBytes: 1, sha256: locked.sha256 },
      architecture: 'armhf',
      base: null,
      fragments: ['recipes/kernel/fragments/minke.config', 'machines/kernel/board.config'],
    });
    expect(Object.keys(task.inputs)).toEqual(['debs', 'tools', 'fragments:0', 'fragments:1']);
    expect(tar).toEqual({ task: task.id, output: 'kernel.tar' });
  });

  test('of a U-Boot: every program that the machine names is a product', () => {
    const boot = machine.boot.method === 'u-boot' ? machine.boot.source : undefined;
    if (boot === undefined) throw new Error('the machine has none');
    const { task } = planUboot(source, boot, uboot, [], { fetch: 'f', tools: 't' });
    expect(task.args).toMatchObject({ name: 'u-boot', base: 'board_defconfig', products: ['spl/boot.bin', 'u-boot.img'], fragments: [] });
  });
});

describe('the scripts', () => {
  const args = { package: locked, architecture: 'armhf' as const, base: null, fragments: [] };

  test('begin with the defaults or with a configuration of the sources, and build what Debian\'s packages of that architecture hold', () => {
    expect(configureKernel(args)).toContain(': > /tmp/all.config\ncat /tmp/fragments.config');
    expect(configureKernel({ ...args, architecture: 'i386', base: 'i386_defconfig' })).toContain('cp /tmp/source/arch/x86/configs/i386_defconfig /tmp/all.config');
    expect(buildKernel(args)).toMatch(/ARCH=arm CROSS_COMPILE=arm-linux-gnueabihf- LOCALVERSION=-minke --jobs="\$\(nproc\)" zImage modules dtbs\n/);
    expect(buildKernel({ ...args, architecture: 'i386' })).toMatch(/ARCH=i386 CROSS_COMPILE=i686-linux-gnu- .* bzImage modules\n/);
  });

  test('name the same builder and time on every machine', () => {
    expect(kernelEnvironment(1793491200)).toEqual({ KBUILD_BUILD_TIMESTAMP: 'Sun, 01 Nov 2026 00:00:00 GMT', KBUILD_BUILD_USER: 'osbuild', KBUILD_BUILD_HOST: 'osbuild', KBUILD_BUILD_VERSION: '1' });
  });

  test('of U-Boot put fragments behind the board\'s own configuration, and refuse a product that is not made', () => {
    const uargs = { name: 'u-boot', files: uboot.files, architecture: 'armhf' as const, base: 'board_defconfig', fragments: [], products: ['u-boot.img'] };
    expect(configureUboot(uargs)).toMatch(/u-boot_1\.orig\.tar\.xz -C \/tmp\/source --strip-components=1\n.*u-boot_1-1\.debian\.tar\.xz[\s\S]*series[\s\S]*\ncat \/tmp\/source\/configs\/board_defconfig \/tmp\/fragments\.config/);
    expect(() => configureUboot({ ...uargs, files: [] })).toThrow(expect.objectContaining({ code: 'OSB_PACKAGE_MISSING' }));
    expect(buildUboot(uargs)).toContain('if [ ! -f /tmp/build/u-boot.img ]');
  });

  test('find their compiler among the packages of the tools tree', () => {
    expect(sourceBuildPackages('armhf')).toContain('gcc-arm-linux-gnueabihf');
    expect(sourceBuildPackages('amd64').filter((name) => name.startsWith('gcc'))).toEqual(['gcc']);
  });
});
