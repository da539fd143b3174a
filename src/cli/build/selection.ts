import { findMachine, type Project } from '../../config/index.ts';
import { OsbuildError, type MachineSource } from '../../model/index.ts';
import type { Invocation, OptionSpec } from '../command.ts';

export const machineOption = {
  machine: { type: 'string', short: 'm', multiple: true, value: 'machine', help: 'which machine; may be repeated, or several separated by commas' },
} as const satisfies Record<string, OptionSpec>;

/** The machines asked for, each once, aliases resolved. */
export function machineNames({ flags }: Invocation, project: Project): MachineSource[] {
  const words = flags.texts('machine').flatMap((word) => word.split(',')).filter(Boolean);
  if (words.length === 0) {
    throw new OsbuildError('OSB_USAGE', 'which machine?', { hint: `--machine with one of: ${[...project.machines.keys()].toSorted().join(', ')}` });
  }
  return [...new Set(words.map((word) => findMachine(project, word)))];
}

/** For commands that take one machine. */
export function oneMachine(invocation: Invocation, project: Project): MachineSource {
  const [first, second] = machineNames(invocation, project);
  if (!first || second) throw new OsbuildError('OSB_USAGE', 'this command takes one machine at a time');
  return first;
}
