import { join } from 'node:path';

import type { BlobStore } from '../../cache/index.ts';
import type { Project } from '../../config/index.ts';
import { createHostRun, ensureLock, readHostApt, type HostApt, type LockPorts, type LockWish } from '../../providers/debian/index.ts';
import type { Invocation } from '../command.ts';
import { environmentProxies } from './proxies.ts';

/** What the Debian provider needs of the world, for one project. */
export interface DebianWorld {
  /** The host's apt configuration, read at most once and only when something must come from the network. */
  apt: () => Promise<HostApt>;
  ports: LockPorts;
}

export const defaultSuite = 'trixie';
export const defaultComponents: [string, ...string[]] = ['main', 'non-free-firmware'];

export function debianWorld(invocation: Invocation, project: Project, blobs: BlobStore): DebianWorld {
  const { hostEnvironment: environment, signal, layout, emit, home } = invocation;
  const { mirror, securityMirror, keyring } = project.build.debian ?? {};
  const run = createHostRun(environment);
  const proxies = environmentProxies(environment);
  let apt: Promise<HostApt> | null = null;
  const readApt = (): Promise<HostApt> => (apt ??= readHostApt(run, { mirror, securityMirror }, proxies));
  return {
    apt: readApt,
    ports: {
      run,
      apt: readApt,
      cacheFolder: layout.root,
      keyring: keyring === undefined ? join(home, 'src/providers/debian/keyring/debian-archive.gpg') : join(project.folder, keyring),
      emit,
      signal,
      has: async (sha256) => (await blobs.size(sha256)) !== null,
    },
  };
}

/** The lock of a machine, from the project's own folder. */
export function machineLockFile(project: Project, machine: string): string {
  return join(project.folder, 'machines', 'locks', `${machine}.lock.json`);
}

/** The lock of a tools tree, which comes with the program. */
export function treeLockFile(home: string, tree: string): string {
  return join(home, 'src/providers/debian/locks', `${tree}.lock.json`);
}

export async function lockFor(wish: LockWish, world: DebianWorld) {
  return (await ensureLock(wish, world.ports)).lock;
}
