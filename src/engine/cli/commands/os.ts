import { EngineError } from '../../error.ts';
import { describeStatus, markGood, openDevice, rollBack, settle, update, type Device } from '../../os/index.ts';
import { CliError } from '../cli-error.ts';
import { between, noArguments, type Command, type CommandContext } from '../command.ts';
import { errorCode, reasonOf } from '../ports.ts';
import { osEngine } from './os-engine.ts';

const defaultPatienceMinutes = 15;
/** What `settle` ends with when the system has to be restarted into the other slot. */
const restartExit = 75;

/** A command of a device: failures of src/engine/os are shown with their hints. */
function osCommand(command: Omit<Command, 'run'> & { run(context: CommandContext, device: Device): Promise<number> }): Command {
  return {
    ...command,
    async run(context) {
      try {
        return await command.run(context, openDevice(context.ports.system()));
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        throw new CliError(`${error.message}${error.hint === undefined ? '' : `\n  hint: ${error.hint}`}`, 1, { cause: error });
      }
    },
  };
}

const rebootFlag = { name: 'reboot', kind: 'bool', help: 'Restart right away' } as const;

async function restart({ ports }: CommandContext): Promise<number> {
  const done = await ports.process.run(['systemctl', 'reboot'], '');
  if (done?.code !== 0) throw new CliError('the system could not be restarted: systemctl reboot failed');
  return 0;
}

export const osCommands: readonly Command[] = [
  osCommand({
    path: ['os', 'status'], usage: '', summary: 'Show which release runs, and what became of the last update', args: noArguments,
    flags: [{ name: 'format', short: 'f', kind: 'string', help: '"json" for programs' }],
    async run(context, device) {
      const status = describeStatus(device);
      const format = context.flags.string('format');
      if (format === 'json') {
        await context.print(`${JSON.stringify(status)}\n`);
        return 0;
      }
      if (format !== '') throw new CliError(`"${format}" is no format: json, or none`);
      const { machine, version, slot, trial, next, update: last } = status;
      await context.print(`machine:  ${machine}\nrelease:  ${version} in slot ${slot}${trial ? ', on trial' : ''}\nnext:     slot ${next}\n`);
      if (last !== null) await context.print(`update:   ${last.fromVersion} to ${last.toVersion}, slot ${last.to}: ${last.phase}, ${last.at}\n${last.reason === undefined ? '' : `          ${last.reason}\n`}`);
      return 0;
    },
  }),
  osCommand({
    path: ['os', 'update'], usage: 'FILE|IMAGE', summary: 'Write a release into the other slot, which the next start tries', args: between(1, 1),
    details: 'FILE is an archive that osbuild made (.os.tar), IMAGE its name in a registry. The release is kept when it proves to work, otherwise this one runs again.',
    flags: [rebootFlag, { name: 'allow-downgrade', kind: 'bool', help: 'Take an older release than the one that runs' }],
    async run(context, device) {
      const { ports, flags, args: [source = ''] } = context;
      const isFile = ports.files.stat(source) !== null || /^\.{0,2}\//.test(source);
      const archive = isFile ? openArchive(context, source) : null;
      const say = (line: string): Promise<void> => context.print(`${line}\n`);
      try {
        const release = await update(device, osEngine(context), { source: archive === null ? { reference: source } : { archive }, allowDowngrade: flags.bool('allow-downgrade') }, say);
        await say(`release ${release.os.version} is tried at the next start`);
      } finally {
        archive?.close();
      }
      return flags.bool('reboot') ? restart(context) : 0;
    },
  }),
  osCommand({
    path: ['os', 'rollback'], usage: '', summary: 'Go back to the release before, at the next start', args: noArguments, flags: [rebootFlag],
    async run(context, device) {
      await rollBack(device);
      return context.flags.bool('reboot') ? restart(context) : 0;
    },
  }),
  osCommand({
    path: ['os', 'commit'], usage: '', summary: 'Keep the release that runs, whatever its health checks say', args: noArguments, flags: [],
    async run(context, device) {
      await markGood(device, osEngine(context));
      return 0;
    },
  }),
  osCommand({
    path: ['os', 'settle'], usage: '', summary: 'After a start: keep the release on trial, or give it up', args: noArguments, hidden: true,
    flags: [{ name: 'patience', kind: 'int', help: 'Minutes until a release has to be healthy, instead of MINKE_OS_PATIENCE or 15' }],
    async run(context, device) {
      const minutes = context.flags.int('patience') ?? Number(context.ports.process.environment()['MINKE_OS_PATIENCE'] ?? defaultPatienceMinutes);
      if (!(minutes > 0)) throw new CliError('MINKE_OS_PATIENCE is no number of minutes');
      const settled = await settle(device, osEngine(context), minutes * 60_000, (line) => context.print(`${line}\n`));
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
