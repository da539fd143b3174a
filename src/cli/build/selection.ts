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
