import { UsageError } from './cli-error.ts';
import type { Command } from './command.ts';

/** The name that a command goes by in help: the shortest of its places. */
export function displayPath(command: Command): readonly string[] {
  const places = [command.path, ...(command.aliases ?? [])];
  return places.reduce((best, place) => (place.length < best.length ? place : best));
}

export function usageLine(program: string, path: readonly string[], command: Command): string {
  const options = command.flags.some((flag) => !flag.hidden) ? '[OPTIONS]' : '';
  return [program, ...path, options, command.usage].filter((part) => part !== '').join(' ');
}

export function checkArgumentCount(program: string, path: readonly string[], command: Command, args: readonly string[]): void {
  const { min, max } = command.args;
  if (args.length >= min && (max === null || args.length <= max)) return;
  const name = `'${[program, ...path].join(' ')}'`;
  const plural = (count: number) => `${count} argument${count === 1 ? '' : 's'}`;
  const wanted = max === 0 ? 'accepts no arguments'
    : max === null ? `requires at least ${plural(min)}`
    : min === max ? `requires ${plural(min)}`
    : args.length > max ? `requires at most ${plural(max)}`
    : `requires at least ${min} and at most ${plural(max)}`;
  throw new UsageError(`${program}: ${name} ${wanted}`, 1);
}
