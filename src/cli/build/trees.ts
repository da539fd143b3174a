import { toolchainPackages } from '../../engine-binary/index.ts';
import { packagerTools, programPackages } from '../../engine-package/index.ts';
import { bluetoothPackages, busyboxPackages, emulationPackages, modulePackages } from '../../device/index.ts';
import { imageTools as imageToolPackages, preloadTools } from '../../image/index.ts';
import { debianArchitectures, type AnyTask, type Arch, type DebianArchitecture } from '../../model/index.ts';
import { finishTools, planTree, sortRequest } from '../../providers/debian/index.ts';
import { sourceBuildPackages } from '../../source-build/index.ts';
import type { Invocation } from '../command.ts';
import { defaultComponents, defaultSuite, lockFor, treeLockFile, type DebianWorld } from './debian.ts';

/** A tools tree that builds need: a Debian root of its own with just these packages. */
export interface TreeSpec {
  name: string;
  title: string;
  packages: string[];
  /** Whose programs it has; only trees of the host's own can be entered. */
  architecture?: DebianArchitecture;
  foreign: DebianArchitecture[];
}

export const imageTools: TreeSpec = {
  name: 'tools-image',
  title: 'image tools',
  packages: [...new Set([...imageToolPackages, ...finishTools])],
  foreign: [],
};

export const emulation: TreeSpec = { name: 'tools-emulation', title: 'emulators', packages: [...emulationPackages], foreign: [] };

/** Where modules for kernels of amd64 are compiled; the programs among a kernel's headers are for the kernel's own architecture. */
export const moduleTools: TreeSpec = { name: 'tools-modules', title: 'tools to compile kernel modules', packages: [...modulePackages], foreign: [] };

/** What tests of Bluetooth bring to boards, which are PCs. */
export const bluetooth: TreeSpec = { name: 'test-bluetooth', title: 'emulated radios of Bluetooth', packages: [...bluetoothPackages], architecture: 'amd64', foreign: [] };

/** What tests of the engine bring up: clients as Debian has them, and applications that real projects are made of. */
export const testApplications: TreeSpec = {
  name: 'test-applications',
  title: 'applications for tests of the engine',
  packages: ['busybox-static', 'coreutils', 'dash', 'docker-cli', 'docker-compose', 'nginx', 'postgresql-17', 'redis-server'],
  foreign: [],
};

/** What the container of the boot test is made of. */
export function busybox(arch: Arch): TreeSpec {
  const { architecture, packages } = busyboxPackages(arch);
  return { name: `busybox-${architecture}`, title: `busybox for ${architecture}`, packages, architecture, foreign: [] };
}

/** The programs that the engine calls, for its archive. */
export function enginePrograms(arch: Arch): TreeSpec {
  const architecture = debianArchitectures[arch];
  return { name: `engine-programs-${architecture}`, title: `programs of the engine for ${architecture}`, packages: [...programPackages], architecture, foreign: [] };
}

/** For data partitions that hold something from the start. */
export const dataTools: TreeSpec = { name: 'tools-preload', title: 'tools to fill data partitions', packages: [...preloadTools], foreign: [] };

export const packager: TreeSpec = { name: 'tools-package', title: 'tools to pack the engine', packages: [...packagerTools], foreign: [] };

/** Where kernels and boot loaders of an architecture are built from source. */
export function sourceTools(architecture: DebianArchitecture): TreeSpec {
  return { name: `tools-source-${architecture}`, title: `tools to build for ${architecture}`, packages: sourceBuildPackages(architecture), foreign: [] };
}

/** The toolchain of an architecture; those with the same Debian architecture share one. */
export function toolchain(arch: Arch): TreeSpec {
  const debianArchitecture = debianArchitectures[arch];
  return toolchainSpec(`toolchain-${debianArchitecture}`, `toolchain for ${debianArchitecture}`, [arch]);
}

export function toolchainSpec(name: string, title: string, archs: readonly Arch[]): TreeSpec {
  const { packages, foreignArchitectures } = toolchainPackages(archs);
  return { name, title, packages, foreign: foreignArchitectures as DebianArchitecture[] };
}

/** Locks a tree (from the network only when it has to) and plans the tasks that make it. */
export async function planToolsTree(spec: TreeSpec, invocation: Invocation, world: DebianWorld, options: { locked: boolean; update?: boolean }): Promise<{ tasks: AnyTask[]; tree: string }> {
  const request = sortRequest({ architecture: spec.architecture ?? 'amd64', foreign: spec.foreign, packages: spec.packages });
  const lock = await lockFor(
    { title: spec.title, request, suite: defaultSuite, components: defaultComponents, file: treeLockFile(invocation.home, spec.name), locked: options.locked, update: options.update ?? false },
    world,
  );
  return planTree({ id: spec.name, title: spec.title, lock });
}
