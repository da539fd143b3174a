import { constants } from 'node:fs';
import { access, mkdir, readFile, statfs } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import { capture } from '../../exec/index.ts';
import { OsbuildError } from '../../model/index.ts';
import { contained } from './bitbake/command.ts';

/** Something that this host lacks for bitbake. */
export interface Lack {
  what: string;
  remedy: string;
}

/** Programs of the host that openembedded-core links into its builds (HOSTTOOLS), and Debian's package of each. */
const programs: Readonly<Record<string, string>> = {
  ar: 'binutils', as: 'binutils', ld: 'binutils', nm: 'binutils', objcopy: 'binutils', objdump: 'binutils', ranlib: 'binutils', readelf: 'binutils', strings: 'binutils', strip: 'binutils',
  bash: 'bash', bzip2: 'bzip2', chrpath: 'chrpath', cmp: 'diffutils', cpio: 'cpio', cpp: 'cpp', diff: 'diffutils', diffstat: 'diffstat', file: 'file', find: 'findutils', flock: 'util-linux',
  'g++': 'g++', gawk: 'gawk', gcc: 'gcc', getopt: 'util-linux', git: 'git', gzip: 'gzip', hostname: 'hostname', iconv: 'libc-bin', lz4c: 'lz4', make: 'make', patch: 'patch', perl: 'perl',
  'pod2man': 'perl', pzstd: 'zstd', python3: 'python3', rpcgen: 'rpcsvc-proto', sed: 'sed', tar: 'tar', unshare: 'util-linux', wget: 'wget', which: 'debianutils', xargs: 'findutils', zstd: 'zstd',
};

/** bitbake's own lower bound (bitbake 2.8). */
const oldestPython: readonly [number, number] = [3, 8];
/** Below this nothing can be built; a whole image without shared state takes some five times as much, and bitbake stops in time. */
const wantedDiskBytes = 10e9;
const wantedWatches = 65_536;
const wantedInstances = 128;

export interface PreflightOptions {
  hostEnvironment: Readonly<Record<string, string>>;
  /** Where layers, downloads, shared state and builds go. */
  folder: string;
  uid: number;
  signal?: AbortSignal;
  /** Room that a build wants; tests ask for more than there is. */
  diskBytes?: number;
  /** Where the kernel says what its limits are (default: /proc); tests have others. */
  proc?: string;
}

/** All that this host lacks, so that it can be put right at once. An empty list: bitbake can run. */
export async function lacks(options: PreflightOptions): Promise<Lack[]> {
  const { hostEnvironment, folder, uid } = options;
  const env = { ...hostEnvironment };
  const found: Lack[] = [];
  const missing = await missingPrograms(hostEnvironment['PATH'] ?? '');
  for (const program of missing) found.push({ what: `the program ${program}`, remedy: `apt install ${programs[program]}` });
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  if (!missing.includes('python3')) {
    const { stdout } = await capture(['python3', '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], { env, ...signal });
    const [major = 0, minor = 0] = stdout.trim().split('.').map(Number);
    if (major < oldestPython[0] || (major === oldestPython[0] && minor < oldestPython[1])) found.push({ what: `Python ${oldestPython.join('.')} or newer (found ${stdout.trim()})`, remedy: 'a newer release of the distribution, or its buildtools tarball' });
    const modules = await capture(['python3', '-c', 'import sqlite3, ssl, xml.etree'], { env, ...signal }).catch(() => null);
    if (modules !== null && /No module named '(sqlite3|ssl|xml)/.test(modules.stderr)) found.push({ what: `Python's module ${/'([^']+)'/.exec(modules.stderr)?.[1]}`, remedy: 'apt install libpython3-stdlib' });
  }
  const locales = await capture(['locale', '-a'], { env, ...signal }).catch(() => ({ stdout: '' }));
  if (!/^en_US\.utf-?8$/im.test(locales.stdout)) found.push({ what: 'the locale en_US.UTF-8', remedy: "apt install locales, then as root: sed -i 's/^# *en_US.UTF-8/en_US.UTF-8/' /etc/locale.gen && locale-gen" });
  if (!missing.includes('unshare')) {
    const entered = await capture(contained(['true'], uid), { env, ...signal });
    if (entered.exitCode !== 0) {
      found.push({
        what: `user and process namespaces (${entered.stderr.trim().split('\n').at(-1) ?? ''})`,
        remedy: 'as root: sysctl kernel.unprivileged_userns_clone=1 (Debian), sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu ≥ 23.10); in a container: --privileged',
      });
    }
  }
  found.push(...(await inotifyLacks(options.proc ?? '/proc')));
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  const wanted = options.diskBytes ?? wantedDiskBytes;
  if (bavail * bsize < wanted) found.push({ what: `disk space: ${gigabytes(bavail * bsize)} free for ${folder}, bitbake needs ${gigabytes(wanted)} at least, an image without shared state some 50 GB`, remedy: 'free some, or set OSBUILD_CACHE_DIR to a folder on another disk' });
  return found;
}

/** Throws OSB_HOST_UNFIT that names everything at once. */
export async function preflight(options: PreflightOptions): Promise<void> {
  const found = await lacks(options);
  if (found.length === 0) return;
  const packages = [...new Set(found.flatMap(({ remedy }) => /^apt install (\S+)$/.exec(remedy)?.[1] ?? []))].toSorted();
  const others = found.filter(({ remedy }) => !/^apt install \S+$/.test(remedy));
  throw new OsbuildError('OSB_HOST_UNFIT', `bitbake cannot run on this host; it lacks ${found.map(({ what }) => what).join('; ')}`, {
    hint: [...(packages.length > 0 ? [`apt install ${packages.join(' ')}`] : []), ...others.map(({ remedy }) => remedy)].join('; '),
    details: { lacks: found },
  });
}

async function missingPrograms(path: string): Promise<string[]> {
  const folders = path.split(delimiter).filter(Boolean);
  const there = async (program: string): Promise<boolean> => {
    for (const folder of folders) if (await access(join(folder, program), constants.X_OK).then(() => true, () => false)) return true;
    return false;
  };
  const all = await Promise.all(Object.keys(programs).map(async (program) => ((await there(program)) ? null : program)));
  return all.filter((program) => program !== null);
}

/** bitbake watches every folder of every layer. */
async function inotifyLacks(proc: string): Promise<Lack[]> {
  const read = async (name: string): Promise<number> => Number((await readFile(join(proc, 'sys/fs/inotify', name), 'utf8').catch(() => 'NaN')).trim());
  const [watches, instances] = await Promise.all([read('max_user_watches'), read('max_user_instances')]);
  const lack = (name: string, value: number, wanted: number): Lack[] => (value < wanted ? [{ what: `inotify: fs.inotify.${name} is ${value}`, remedy: `as root: sysctl fs.inotify.${name}=${wanted}` }] : []);
  return [...lack('max_user_watches', watches, wantedWatches), ...lack('max_user_instances', instances, wantedInstances)];
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(0)} GB`;
