import { createApiClient } from './api/api-client.ts';
import { CliError, PlainError, SilentExit, UsageError } from './cli-error.ts';
import { readClientConfig } from './client-config.ts';
import type { Command, CommandContext } from './command.ts';
import { commandGroups, commands } from './commands/index.ts';
import { completeWords } from './completion/complete.ts';
import { parseFlags, type FlagValues } from './flags/parse-flags.ts';
import { TemplateError } from '../format/index.ts';
import { globalFlags } from './global-flags.ts';
import { commandHelp, groupHelp, programHelp } from './help.ts';
import { errorCode, type CliPorts } from './ports.ts';
import { resolveCommand } from './resolve.ts';
import { checkArgumentCount, usageLine } from './usage.ts';
import { programVersion } from './version-text.ts';
import { ENGINE_VERSION } from '../version.ts';

const brokenPipeExit = 141;

/** Runs one command line (argv[0] included) and gives its exit status. Nothing escapes but bugs. */
export async function runProgram(argv: readonly string[], ports: CliPorts): Promise<number> {
  const program = (argv[0] ?? '').split('/').at(-1) === 'docker' ? 'docker' : 'minke';
  let debug = false;
  try {
    const globals = readGlobals(program, argv.slice(1));
    debug = globals.flags.bool('debug');
    return await dispatch(program, globals, ports);
  } catch (error) {
    return report(error, ports, program, debug);
  }
}

interface Globals {
  readonly flags: FlagValues;
  readonly words: readonly string[];
  readonly helpWanted: boolean;
}

function readGlobals(program: string, words: readonly string[]): Globals {
  try {
    const { flags, args, helpWanted } = parseFlags(words, globalFlags, { interspersed: false });
    return { flags, words: args, helpWanted };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message}\n\nUsage:  ${program} [OPTIONS] COMMAND [ARG...]\n\nRun '${program} --help' for more information`, error.exitCode);
  }
}

async function dispatch(program: string, globals: Globals, ports: CliPorts): Promise<number> {
  const columns = ports.stdout.isTty ? ports.terminal.size()?.columns ?? 80 : 80;
  const [first, ...others] = globals.words;
  if (globals.flags.bool('version')) {
    await ports.stdout.write(`${programVersion(program)}\n`);
    return 0;
  }
  if (first === '__complete') {
    await ports.stdout.write(await completeWords(others, ports, (words) => contextOf(program, readGlobals(program, words).flags, ports, [], noFlags)));
    return 0;
  }
  const words = first === 'help' ? others : globals.words;
  if (words.length === 0) {
    await ports.stdout.write(programHelp(program, commandGroups, commands, globalFlags, columns));
    return 0;
  }
  const resolved = resolveCommand(program, words);
  if (resolved.kind === 'group') {
    parseFlagsOf(program, { ...emptyCommand, path: [resolved.group.name] }, [resolved.group.name], resolved.rest);
    await ports.stdout.write(groupHelp(program, resolved.group, commands));
    return 0;
  }
  const { command, path } = resolved;
  const line = parseFlagsOf(program, command, path, resolved.rest);
  if (line.helpWanted || first === 'help' || globals.helpWanted) {
    await ports.stdout.write(commandHelp(program, path, command, columns));
    return 0;
  }
  try {
    checkArgumentCount(program, path, command, line.args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const verb = command.args.max === null ? 'See' : 'Run';
    throw new UsageError(`${error.message}\n\nUsage:  ${usageLine(program, path, command)}\n\n${verb} '${[program, ...path].join(' ')} --help' for more information`, error.exitCode);
  }
  return runCommand(program, command, path, contextOf(program, globals.flags, ports, line.args, line.flags));
}

async function runCommand(program: string, command: Command, path: readonly string[], context: CommandContext): Promise<number> {
  try {
    return await command.run(context);
  } catch (error) {
    if (command.failureCode === undefined || !(error instanceof CliError) || error instanceof SilentExit || error instanceof UsageError || error instanceof PlainError) throw error;
    const code = error.exitCode === 1 ? command.failureCode : error.exitCode;
    throw new CliError(`${program}: ${error.message}\n\nRun '${[program, ...path].join(' ')} --help' for more information`, code, { cause: error });
  } finally {
    context.api.close();
  }
}

const emptyCommand: Command = { path: [], usage: '', summary: '', flags: [], args: { min: 0, max: null }, run: async () => 0 };
const noFlags = parseFlags([], [], { interspersed: true }).flags;

function parseFlagsOf(program: string, command: Command, path: readonly string[], words: readonly string[]) {
  try {
    return parseFlags(words, command.flags, { interspersed: command.interspersed ?? true });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message}\n\nUsage:  ${usageLine(program, path, command)}\n\nRun '${[program, ...path].join(' ')} --help' for more information`, error.exitCode);
  }
}

function contextOf(program: string, globals: FlagValues, ports: CliPorts, args: readonly string[], flags: FlagValues): CommandContext {
  const context = globals.string('context');
  if (context !== '' && context !== 'default') throw new CliError(`context "${context}" does not exist: minke has no contexts; name the daemon with -H or MINKE_HOST`);
  const config = readClientConfig(ports, program, globals);
  return {
    ports, program, config, args, flags,
    api: createApiClient(ports, config, { program, clientVersion: ENGINE_VERSION }),
    print: (text) => ports.stdout.write(text),
    warn: (text) => ports.stderr.write(`${text}\n`),
  };
}

async function report(error: unknown, ports: CliPorts, program: string, debug: boolean): Promise<number> {
  if (error instanceof SilentExit) return error.exitCode;
  if (errorCode(error) === 'EPIPE') return brokenPipeExit;
  const expected = error instanceof CliError || error instanceof TemplateError;
  const code = error instanceof CliError ? error.exitCode : 1;
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error && (debug || !expected) ? `\n${causeChain(error)}` : '';
  const text = expected ? message : `${program}: unexpected failure (a bug): ${message}`;
  try {
    await ports.stderr.write(`${text}${stack}\n`);
  } catch {
    // Nobody reads standard error: the exit status must do.
  }
  return code;
}

function causeChain(error: Error): string {
  const lines: string[] = [];
  for (let current: unknown = error; current instanceof Error && lines.length < 10; current = current.cause) lines.push(`${current.name}: ${current.message}\n${current.stack ?? ''}`);
  return lines.join('\ncaused by ');
}
