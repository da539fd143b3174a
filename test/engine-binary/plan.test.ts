import { describe, expect, test } from 'vitest';

import { archs } from '../../src/model/index.ts';
import { completeToolchainPackages, engineTargets, planEngineBinary, planEngineBuild, planInitrdProgram, toolchainPackages, type EngineSources } from '../../src/engine-binary/index.ts';

const sources: EngineSources = {
  home: '/home/someone/osbuild',
  engine: [{ path: 'src/engine/main.ts', digest: 'a'.repeat(64), type: 'file' }],
  host: [{ path: 'main.c', digest: 'b'.repeat(64), type: 'file' }, { path: 'architecture.mk', digest: 'd'.repeat(64), type: 'file' }],
  verityMap: [{ path: 'minke-verity.c', digest: 'c'.repeat(64), type: 'file' }],
  splash: [{ path: 'minke-splash.c', digest: 'e'.repeat(64), type: 'file' }],
};

describe('packages of a toolchain', () => {
  test('one architecture brings its compiler and its libraries, and nothing of the others', () => {
    const { packages, foreignArchitectures } = toolchainPackages(['aarch64']);
    expect(foreignArchitectures).toEqual(['arm64']);
    expect(packages).toContain('gcc-aarch64-linux-gnu');
    expect(packages).toContain('libmbedtls-dev:arm64');
    expect(packages.filter((name) => /gnueabi|i686|:armhf|:i386/.test(name))).toEqual([]);
  });

  test('the build machine itself needs no foreign architecture', () => {
    const { packages, foreignArchitectures } = toolchainPackages(['amd64']);
    expect(foreignArchitectures).toEqual([]);
    expect(packages.every((name) => !name.includes(':'))).toBe(true);
  });

  test('armv5e and armv6l share one', () => {
    expect(toolchainPackages(['armv5e'])).toEqual(toolchainPackages(['armv6l']));
  });

  test('the complete one has all of each', () => {
    const all = completeToolchainPackages();
    for (const arch of archs) for (const name of toolchainPackages([arch]).packages) expect(all.packages).toContain(name);
    expect(all.foreignArchitectures).toEqual(['arm64', 'armel', 'armhf', 'i386']);
    expect(all.packages).toEqual(all.packages.toSorted());
  });
});

describe('plan of an engine', () => {
  test.each(archs)('%s is compiled from the bundle, the host and its toolchain', (arch) => {
    const { tasks, binary, map } = planEngineBinary(arch, sources, 'tree-task');
    const compile = tasks.find((task) => task.id === binary.task);
    expect(compile?.args).toEqual({ arch });
    expect(compile?.inputs['toolchain']).toEqual({ from: 'tree', task: 'tree-task' });
    expect(compile?.inputs['bundle.js']).toEqual({ from: 'task', ...map, output: 'bundle.js' });
    expect(compile?.inputs['host']).toMatchObject({ files: sources.host });
    expect(engineTargets[arch].elf.bits).toBe(['aarch64', 'amd64'].includes(arch) ? 64 : 32);
  });

  test('all architectures share one bundle', () => {
    const bundles = archs.map((arch) => planEngineBinary(arch, sources, 'tree').tasks.find((task) => task.kind === 'engine/bundle'));
    expect(new Set(bundles.map((task) => JSON.stringify(task))).size).toBe(1);
  });

  describe.each([['minke-verity', sources.verityMap], ['minke-splash', sources.splash]] as const)('%s of initrds', (name, files) => {
    test.each(archs)('for %s is made anew for its own sources and the compiler’s words alone', (arch) => {
      const { tasks, program } = planInitrdProgram(name, arch, sources, 'tree-task');
      expect(tasks.map(({ id, args }) => [id, args])).toEqual([[program.task, { arch }]]);
      expect(program.output).toBe(name);
      expect(tasks[0]?.inputs).toMatchObject({ source: { files }, host: { files: [{ path: 'architecture.mk' }] }, toolchain: { from: 'tree', task: 'tree-task' } });
    });
  });

  test('compiles away from the results, so that only they are kept', () => {
    const { argv } = planEngineBuild('armv7hf', { sanitize: true });
    expect(argv).toContain('ARCH=armv7hf');
    expect(argv).toContain('SANITIZE=1');
    expect(argv.find((word) => word.startsWith('BUILD='))).toMatch(/^BUILD=\/tmp\//);
    expect(planEngineBuild('armv7hf').argv.join(' ')).not.toMatch(/SANITIZE|GC_STRESS/);
  });
});
