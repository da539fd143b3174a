import { parseGoDuration } from '../../format/index.ts';
import type { ContainerName, Device } from '../../os/index.ts';
import { CliError } from '../cli-error.ts';
import { between, noArguments, type Command, type CommandContext } from '../command.ts';
import { withHints } from '../engine-errors.ts';
import { errorCode, reasonOf } from '../ports.ts';
import { osEngine } from './os-engine.ts';

const defaultPatienceMinutes = 15;
const defaultLockMinutes = 10;
/** A release that does not work is left sooner than that: the unit has a time-out. */
const giveUpLockMinutes = 3;
/** What commands end with that were to restart the system, and were held off (EX_TEMPFAIL). */
const heldOffExit = 75;
/** What `settle` ends with when the system has to be restarted into the other slot. */
const restartExit = 75;

/** src/engine/os, which is read by commands of a device alone. */
type Os = typeof import('../../os/index.ts');

/** A command of a device: failures of src/engine/os are shown with their hints. */
function osCommand(command: Omit<Command, 'run'> & { run(context: CommandContext, device: Device, os: Os): Promise<number> }): Command {
  return {
    ...command,
    async run(context) {
      const os = await import('../../os/index.ts');
      return withHints(() => command.run(context, os.openDevice(context.ports.system()), os));
    },
  };
}

const rebootFlag = { name: 'reboot', kind: 'bool', help: 'Restart as soon as no application holds it off' } as const;
const lockFlags = [
  { name: 'lock-timeout', kind: 'duration', help: 'How long to wait for locks of applications, such as 30m; instead of os.updates.lockMinutes of config.json, or 10m' },
  { name: 'override-locks', kind: 'bool', help: 'Restart whoever holds a lock' },
] as const;

/** Restarts, as locks of applications allow; with `heldOffExit` when they do not within the time. */
async function restart(context: CommandContext, device: Device, os: Os): Promise<number> {
  const { ports, flags } = context;
  const nameOf = osEngine(context).containerName;
  const timeoutMs = flags.bool('override-locks') ? 0 : lockTimeoutMs(context, os);
  const taken = await os.takeLocks(device, timeoutMs, named(nameOf), (line) => context.print(`${line}\n`));
  if (taken === undefined && !flags.bool('override-locks')) {
    await context.warn('the system is not restarted now: locks of applications hold it off\n  hint: `minke os restart` waits again, --override-locks does not care');
    return heldOffExit;
  }
  try {
    const done = await ports.process.run(['systemctl', 'reboot'], '');
    if (done?.code !== 0) throw new CliError('the system could not be restarted: systemctl reboot failed');
    return 0;
  } finally {
    taken?.release();
  }
}

function lockTimeoutMs({ ports, flags }: CommandContext, os: Os): number {
  const asked = flags.string('lock-timeout');
  if (asked !== '') return Math.max(0, Number(parseGoDuration(asked)) / 1e6);
  return (os.updateSettings(ports.system().files).lockMinutes ?? defaultLockMinutes) * 60_000;
}

/** The engine may be down, or the container gone: then it has no name. */
const named = (nameOf: ContainerName): ContainerName => (id) => nameOf(id).catch(() => undefined);

export const osCommands: readonly Command[] = [
  osCommand({
    path: ['os', 'status'], usage: '', summary: 'Show which release runs, and what became of the last update', args: noArguments,
    flags: [{ name: 'format', short: 'f', kind: 'string', help: '"json" for programs' }],
    async run(context, device, os) {
      const status = os.describeStatus(device);
      const format = context.flags.string('format');
      if (format === 'json') {
        await context.print(`${JSON.stringify(status)}\n`);
        return 0;
      }
      if (format !== '') throw new CliError(`"${format}" is no format: json, or none`);
      const { machine, version, slot, root, damagedSlot, trial, next, update: last, migration, overlays, overlayTrial, locks } = status;
      await context.print(`machine:  ${machine}\nrelease:  ${version} in slot ${slot}${trial ? ', on trial' : ''}\nroot:     ${root === 'verity' ? 'every block is checked when it is read' : 'read without dm-verity'}\nnext:     slot ${next}\n`);
      if (damagedSlot !== null) await context.print(`DAMAGED:  slot ${damagedSlot}: something of it cannot be read; \`minke os update\` writes ${damagedSlot === slot ? 'a release into the other one, which is started next' : 'it anew'}\n`);
      if (last !== null) await context.print(`update:   ${last.fromVersion} to ${last.toVersion}, slot ${last.to}: ${last.phase}, ${last.at}\n${last.reason === undefined ? '' : `          ${last.reason}\n`}`);
      if (migration !== null && migration.phase !== 'undone') await context.print(`state:    changed by release ${migration.version}${migration.phase === 'running' ? ', not to the end' : ''}; a rollback gives back ${migration.folders.join(', ') || 'nothing'}\n`);
      for (const { name, applied, reason } of overlays) await context.print(`overlay:  ${name}: ${applied ? (overlayTrial ? 'applied, on trial' : 'applied') : 'not applied'}${reason === undefined ? '' : `, ${reason}`}\n`);
      for (const line of await os.describeLocks(locks, named(osEngine(context).containerName))) await context.print(`lock:     ${line}\n`);
      return 0;
    },
  }),
  osCommand({
    path: ['os', 'update'], usage: 'FILE|IMAGE', summary: 'Write a release into the other slot, which the next start tries', args: between(1, 1),
    details: 'FILE is an archive that osbuild made (.os.tar), IMAGE its name in a registry. The release is kept when it proves to work, otherwise this one runs again.',
    flags: [rebootFlag, ...lockFlags, { name: 'allow-downgrade', kind: 'bool', help: 'Take an older release than the one that runs' }, { name: 'again', kind: 'bool', help: 'Write the release once more where it runs, or waits for the next start' }],
    async run(context, device, os) {
      const { ports, flags, args: [source = ''] } = context;
      const isFile = ports.files.stat(source) !== null || /^\.{0,2}\//.test(source);
      const archive = isFile ? openArchive(context, source) : null;
      const say = (line: string): Promise<void> => context.print(`${line}\n`);
      try {
        const { release, outcome } = await os.update(device, osEngine(context), { source: archive === null ? { reference: source } : { archive }, allowDowngrade: flags.bool('allow-downgrade'), again: flags.bool('again') }, say);
        await say(`release ${release.os.version} ${{ written: 'is tried at the next start', waits: 'has been written already: it is tried at the next start', runs: 'runs already: there is nothing to do' }[outcome]}`);
        if (outcome === 'runs') return 0;
      } finally {
        archive?.close();
      }
      return flags.bool('reboot') ? restart(context, device, os) : 0;
    },
  }),
  osCommand({
    path: ['os', 'rollback'], usage: '', summary: 'Go back to the release before, at the next start', args: noArguments, flags: [rebootFlag, ...lockFlags],
    async run(context, device, os) {
      await os.rollBack(device);
      return context.flags.bool('reboot') ? restart(context, device, os) : 0;
    },
  }),
  osCommand({
    path: ['os', 'restart'], usage: '', summary: 'Restart as soon as no application holds it off', args: noArguments, flags: lockFlags,
    details: 'An application holds a restart off while it has locked a file *.lock below /run/minke/locks. Ends with 75 when the time is over.',
    run: restart,
  }),
  osCommand({
    path: ['os', 'commit'], usage: '', summary: 'Keep the release that runs, whatever its health checks say', args: noArguments, flags: [],
    async run(context, device, os) {
      await os.markGood(device, osEngine(context), (line) => context.print(`${line}\n`));
      return 0;
    },
  }),
  osCommand({
    path: ['os', 'stick'], usage: 'DEVICE', summary: 'Take a release from a stick that was plugged in, and restart', args: between(1, 1), hidden: true, flags: lockFlags,
    async run(context, device, os) {
      const [block = ''] = context.args;
      const release = await os.updateFromStick(device, osEngine(context), block, (path) => openArchive(context, path), (line) => context.print(`${line}\n`));
      return release === undefined ? 0 : restart(context, device, os);
    },
  }),
  osCommand({
    path: ['os', 'migrate'], usage: '', summary: 'At a start: change state for a new release, or give it back to the one before', args: noArguments, hidden: true, flags: [],
    async run(context, device, os) {
      return (await os.migrate(device, (line) => context.print(`${line}\n`))) === 'restart' ? restartExit : 0;
    },
  }),
  osCommand({
    path: ['os', 'settle'], usage: '', summary: 'After a start: keep the release on trial, or give it up', args: noArguments, hidden: true,
    flags: [{ name: 'patience', kind: 'int', help: 'Minutes until a release has to be healthy, instead of MINKE_OS_PATIENCE or 15' }, lockFlags[0]],
    async run(context, device, os) {
      const minutes = context.flags.int('patience') ?? Number(context.ports.process.environment()['MINKE_OS_PATIENCE'] ?? defaultPatienceMinutes);
      if (!(minutes > 0)) throw new CliError('MINKE_OS_PATIENCE is no number of minutes');
      const settled = await os.settle(device, osEngine(context), { healthMs: minutes * 60_000, locksMs: Math.min(lockTimeoutMs(context, os), giveUpLockMinutes * 60_000) }, (line) => context.print(`${line}\n`));
      return settled === 'restart' ? restartExit : 0;
    },
  }),
];

function openArchive({ ports }: CommandContext, path: string) {
  try {
    return ports.files.openRead(path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new CliError(`open ${path}: ${reasonOf(error)}`, 1, { cause: error });
  }
}
