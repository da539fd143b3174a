import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Proxies } from '../../../http/index.ts';
import { findArchives, parseDeb822Sources, parseOneLineSources, type AptEntry, type Archives } from './sources.ts';

/** Result of a host program that was let run to its end. */
export interface HostResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a program of the host; resolves whatever the exit status, rejects when it cannot be started or is cancelled. */
export type HostRun = (argv: string[], options?: { env?: Record<string, string>; signal?: AbortSignal }) => Promise<HostResult>;

/** What the provider takes over from the host's apt: where the archives are and how they are reached. */
export interface HostApt {
  archives: Archives;
  proxies: Proxies;
  /** Lines of apt.conf(5) taken over into the private apt root (proxies, validity checks). */
  options: string[];
}

const takenOver = /^Acquire::(http|https)(::|$)|^Acquire::(Check-Valid-Until|Check-Date|Max-FutureTime|Retries) /i;

/**
 * Reads the host's apt configuration without changing anything of it.
 * @param etcApt the host's /etc/apt
 * @param environment proxies of the caller's environment, used where apt itself names none
 */
export async function readHostApt(
  run: HostRun,
  overrides: { mirror?: string | undefined; securityMirror?: string | undefined },
  environment: Proxies = { http: null, https: null },
  etcApt = '/etc/apt',
): Promise<HostApt> {
  const dump = await run(['apt-config', 'dump']);
  const lines = dump.exitCode === 0 ? dump.stdout.split('\n') : [];
  const archives = findArchives(await readEntries(etcApt), overrides);
  const options = lines.filter((line) => takenOver.test(line) && !line.endsWith(' "";'));
  return {
    archives,
    proxies: {
      http: proxyOption(lines, 'http', archives) ?? environment.http,
      https: proxyOption(lines, 'https', archives) ?? environment.https,
    },
    options,
  };
}

async function readEntries(etcApt: string): Promise<AptEntry[]> {
  const files = [path.join(etcApt, 'sources.list')];
  const parts = path.join(etcApt, 'sources.list.d');
  for (const name of (await readdir(parts).catch(() => [])).toSorted()) files.push(path.join(parts, name));
  const entries: AptEntry[] = [];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (file.endsWith('.list')) entries.push(...parseOneLineSources(text));
    if (file.endsWith('.sources')) entries.push(...parseDeb822Sources(text));
  }
  return entries;
}

/** The proxy that apt would use for the archive's host; `DIRECT` means none. */
function proxyOption(lines: string[], scheme: 'http' | 'https', archives: Archives): string | null {
  const value = (key: string): string | undefined => {
    const prefix = `${key} "`.toLowerCase();
    return lines.find((line) => line.toLowerCase().startsWith(prefix))?.slice(prefix.length, -2);
  };
  const host = new URL(archives.main).hostname;
  const proxy = value(`Acquire::${scheme}::Proxy::${host}`) ?? value(`Acquire::${scheme}::Proxy`);
  return proxy === undefined || proxy === '' || proxy.toUpperCase() === 'DIRECT' ? null : proxy;
}
