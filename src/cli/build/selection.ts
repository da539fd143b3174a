import { findMachine, type Project } from '../../config/index.ts';
import { OsbuildError, type MachineSource } from '../../model/index.ts';
import type { Invocation, OptionSpec } from '../command.ts';

export const machineOption = {
  machine: { type: 'string', short: 'm', multiple: true, value: 'machine', help: 'which machine; may be repeated, or several separated by commas' },
} as const satisfies Record<string, OptionSpec>;

/** For commands that take a fleet. */
export const machinesOption = {
  ...machineOption,
  all: { type: 'boolean', short: 'a', help: 'every machine of the project' },
} as const satisfies Record<string, OptionSpec>;

/** The machines asked for, each once, aliases resolved. */
export function machineNames({ flags }: Invocation, project: Project): MachineSource[] {
  const words = flags.texts('machine').flatMap((word) => word.split(',')).filter(Boolean);
  if (words.length === 0) {
    throw new OsbuildError('OSB_USAGE', 'which machine?', { hint: `--machine with one of: ${[...project.machines.keys()].toSorted().join(', ')}` });
  }
  return [...new Set(words.map((word) => findMachine(project, word)))];
}

/** The machines asked for, or with --all every one of the project. */
export function fleet(invocation: Invocation, project: Project): MachineSource[] {
  const { flags } = invocation;
  if (!flags.on('all')) return machineNames(invocation, project);
  if (flags.texts('machine').length > 0) throw new OsbuildError('OSB_USAGE', '--all and --machine exclude each other');
  return [...new Set(project.machines.values())].toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
}

/** For commands that take one machine. */
export function oneMachine(invocation: Invocation, project: Project): MachineSource {
  const [first, second] = machineNames(invocation, project);
  if (!first || second) throw new OsbuildError('OSB_USAGE', 'this command takes one machine at a time');
  return first;
}

export const flasherOption = {
  flasher: { type: 'boolean', help: "the medium that writes a board's own disk as well; with --all of those machines that have one" },
} as const satisfies Record<string, OptionSpec>;

/** Of all machines those that something can be done for, and a word about the others; a machine asked for by name is tried whatever it is. */
export function fleetWith({ flags, emit }: Invocation, machines: MachineSource[], has: (machine: MachineSource['machine']) => boolean, notice: { code: string; others: string }): MachineSource[] {
  if (!flags.on('all')) return machines;
  const without = machines.filter(({ machine }) => !has(machine)).map(({ name }) => name);
  if (without.length > 0) emit({ type: 'notice', level: 'info', code: notice.code, message: `${notice.others}: ${without.join(', ')}` });
  return machines.filter(({ machine }) => has(machine));
}

/** The machines asked for; with --flasher and --all, those that say which disk is their own. */
export function flasherFleet(invocation: Invocation, machines: MachineSource[]): MachineSource[] {
  if (!invocation.flags.on('flasher')) return machines;
  return fleetWith(invocation, machines, ({ flasher }) => flasher !== undefined, { code: 'NO_FLASHER', others: 'without a disk of their own, so no flasher' });
}
