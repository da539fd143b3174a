import { systemErrorCode } from '../../error.ts';
import { sleep, type System } from '../../ports/index.ts';
import { bootPartition } from '../boot-partition.ts';
import { wantOverlays } from '../overlays.ts';

/** What each kind of step needs to know. Paths are those of the device. */
interface StepArgs {
  /** A service that runs is started anew; one that does not is let be, unless it is `wanted`. Nothing waits for it. */
  restart: { unit: string; wanted?: true };
  /** A service that runs reads its settings again. */
  reload: { unit: string };
  /** A program; left out where `onlyWith` is not there. */
  run: { argv: readonly string[]; onlyWith?: string };
  /** Gives the kernel the name in a file. */
  'set-hostname': { file: string };
  /** Lets root in without a password while the marker is there. */
  'root-password': { marker: string };
  /** Logins on consoles are there with the marker, and not without. */
  consoles: { marker: string };
  /** Puts the system's bundle of authorities, with these certificates added, in the bundle's place. */
  trust: { certificates: string; bundle: string };
  /** Gives the radios that are there the country in a file. */
  'regulatory-domain': { file: string };
  /** The boot loader applies the overlays that a file names, from the next start on. */
  overlays: { file: string };
  /** The journal is on the data partition with the marker, and in memory without. */
  journal: { marker: string };
}

export type Step = { [K in keyof StepArgs]: { do: K } & StepArgs[K] }[keyof StepArgs];

export type StepSystem = Pick<System, 'files' | 'processes' | 'clock'>;
type Executors = { [K in keyof StepArgs]: (system: StepSystem, args: StepArgs[K]) => Promise<void> };

const SYSTEM_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const BOOT = '/mnt/boot';
const SHADOW = '/etc/shadow';
const JOURNAL = '/var/log/journal';
const JOURNAL_ON_DATA = '/mnt/data/journal';
const UNIT_FOLDERS = ['/usr/lib/systemd/system', '/etc/systemd/system', '/lib/systemd/system', '/run/systemd/system'];

const EXECUTORS: Executors = {
  restart: (system, { unit, wanted }) => tellUnit(system, wanted === true ? 'restart' : 'try-restart', unit),
  reload: (system, { unit }) => tellUnit(system, 'try-reload-or-restart', unit),
  async run(system, { argv, onlyWith }) {
    if (onlyWith === undefined || system.files.exists(onlyWith)) await run(system, argv);
  },
  async 'set-hostname'({ files }, { file }) {
    files.writeText('/proc/sys/kernel/hostname', files.readText(file).trim());
  },
  async 'root-password'({ files }, { marker }) {
    const lifted = isMounted(files, SHADOW);
    if (!files.exists(marker)) {
      if (lifted) files.unmount(SHADOW, 'lazily');
      return;
    }
    if (lifted) return;
    const { mode, uid, gid } = files.stat(SHADOW);
    const copy = `${marker.slice(0, marker.lastIndexOf('/'))}/shadow`;
    files.writeText(copy, files.readText(SHADOW).replace(/^root:[^:]*:/m, 'root::'), 0o600);
    files.chown(copy, uid, gid);
    files.chmod(copy, mode & 0o777);
    bind(files, copy, SHADOW);
  },
  async consoles(system, { marker }) {
    await run(system, system.files.exists(marker) ? ['systemctl', '--no-block', 'restart', 'getty.target'] : ['systemctl', '--no-block', 'stop', 'getty@*.service', 'serial-getty@*.service']);
  },
  async trust({ files }, { certificates, bundle }) {
    if (isMounted(files, SYSTEM_BUNDLE)) files.unmount(SYSTEM_BUNDLE, 'lazily');
    if (!files.exists(certificates)) return;
    const usual = files.exists(SYSTEM_BUNDLE) ? files.readText(SYSTEM_BUNDLE) : '';
    await files.replaceFile(bundle, `${usual}${usual === '' || usual.endsWith('\n') ? '' : '\n'}${files.readText(certificates)}`);
    bind(files, bundle, SYSTEM_BUNDLE);
  },
  async 'regulatory-domain'(system, { file }) {
    const { files, processes } = system;
    if (!files.exists('/sys/class/ieee80211') || files.readdir('/sys/class/ieee80211').length === 0 || processes.find('iw') === undefined) return;
    await run(system, ['iw', 'reg', 'set', files.exists(file) ? files.readText(file).trim() : '00']);
  },
  overlays: ({ files }, { file }) => wantOverlays(files, bootPartition(files, BOOT), files.readText(file).split('\n').filter(Boolean)),
  async journal(system, { marker }) {
    const { files } = system;
    const onData = isMounted(files, JOURNAL);
    if (files.exists(marker)) {
      if (!onData) {
        files.mkdirs(JOURNAL_ON_DATA);
        files.mkdirs(JOURNAL);
        bind(files, JOURNAL_ON_DATA, JOURNAL);
      }
      await ask(system, ['journalctl', '--flush']);
    } else if (onData) {
      await ask(system, ['journalctl', '--relinquish-var']);
      files.unmount(JOURNAL, 'lazily');
      files.rmdir(JOURNAL);
    }
  },
};

/** Does one step. Throws what went wrong. */
export async function carryOut(system: StepSystem, step: Step): Promise<void> {
  const execute = EXECUTORS[step.do] as (system: StepSystem, args: Step) => Promise<void>;
  await execute(system, step);
}

async function tellUnit(system: StepSystem, verb: string, unit: string): Promise<void> {
  // Images need not have every service.
  if (UNIT_FOLDERS.some((folder) => system.files.exists(`${folder}/${unit}`))) await run(system, ['systemctl', '--no-block', verb, unit]);
}

async function run({ processes }: StepSystem, argv: readonly string[]): Promise<void> {
  const [name = '', ...words] = argv;
  const program = processes.find(name);
  if (program === undefined) throw new Error(`there is no ${name}`);
  const status = await processes.spawn({ argv: [program, ...words], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, stdio: ['null', 'null'] }).wait();
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}`);
}

/** A request to a service that may just be starting anew. */
async function ask(system: StepSystem, argv: readonly string[]): Promise<void> {
  for (let triesLeft = 5; ; triesLeft -= 1) {
    try {
      return await run(system, argv);
    } catch (error) {
      if (triesLeft === 1) throw error;
      await sleep(system.clock, 500);
    }
  }
}

type Files = StepSystem['files'];

const bind = (files: Files, source: string, target: string): void => files.mount({ source, target, type: '', flags: ['bind'], data: '' });

/** Whether something is mounted at exactly this path. */
function isMounted(files: Files, path: string): boolean {
  return files.readText('/proc/self/mountinfo').split('\n').some((line) => line.split(' ')[4] === path);
}

/** The text of a file; undefined when there is none, or none that can be read. */
export function textOf(files: Pick<Files, 'readText'>, path: string, maxBytes?: number): string | undefined {
  try {
    return files.readText(path, maxBytes);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return undefined;
  }
}
