import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import type { DebianLock, LockedPackage } from '../../../model/index.ts';
import type { LockPorts } from '../lock/ensure.ts';
import { download } from '../../../downloads/index.ts';
import { fetchDefaults, mirrorWords, packageUrl } from '../fetch/fetch.ts';
import { createHttpClient } from '../../../http/index.ts';
import { changedPackages, changedScripts, type PackageChange, type ScriptChange } from './lock-diff.ts';

export interface LockDifference {
  packages: PackageChange[];
  scripts: ScriptChange[];
  /** Changed packages whose scripts could not be read, such as old versions that have left the mirror and the store. */
  unread: string[];
}

/**
 * Compares two locks, maintainer scripts included. Packages are taken from the store where it has them, and otherwise
 * downloaded for this purpose alone.
 * @param blob path of a package in the store; null when it is not there
 */
export async function diffLocks(before: DebianLock, after: DebianLock, ports: LockPorts & { blob: (sha256: string) => Promise<string | null> }): Promise<LockDifference> {
  const unread: string[] = [];
  const apt = await ports.apt();
  const client = createHttpClient(apt.proxies, fetchDefaults);
  const scratch = await mkdtemp(path.join(ports.cacheFolder, 'lock-diff-'));
  const read = async (locked: LockedPackage): Promise<Record<string, string>> => {
    try {
      const stored = await ports.blob(locked.sha256);
      const deb = stored ?? path.join(scratch, `${locked.sha256}.deb`);
      if (stored === null) {
        await download({ name: locked.name, url: packageUrl(apt.archives, locked), sizeBytes: locked.sizeBytes, sha256: locked.sha256, words: mirrorWords }, deb, { client, signal: ports.signal, retryDelaysMs: fetchDefaults.retryDelaysMs, received: () => {} });
      }
      const scripts = await scriptsOf(deb, ports);
      if (stored === null) await rm(deb);
      return scripts;
    } catch {
      ports.signal.throwIfAborted();
      unread.push(`${locked.name} ${locked.version}`);
      return {};
    }
  };
  try {
    return { packages: changedPackages(before, after), scripts: await changedScripts(before, after, read), unread };
  } finally {
    client.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function scriptsOf(deb: string, ports: LockPorts): Promise<Record<string, string>> {
  const scripts: Record<string, string> = {};
  for (const name of ['preinst', 'postinst']) {
    const { exitCode, stdout } = await ports.run(['dpkg-deb', '--info', deb, name], { signal: ports.signal });
    if (exitCode === 0) scripts[name] = stdout;
  }
  return scripts;
}
