import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { CacheLayout, defaultCacheFolder } from '../cache/index.ts';
import { nearest } from '../config/index.ts';
import { OsbuildError, type BuildEvent } from '../model/index.ts';
import { jsonReporter, plainReporter, terminalReporter, type Reporter } from '../report/index.ts';
import { parseConfig, type Command, type Flags, type Invocation, type OptionSpec } from './command.ts';
import { commands } from './commands/index.ts';
import { exitCode } from './exit-codes.ts';
import { commandHelp, overview } from './help.ts';

/** Options that every command has. */
export const commonOptions: Record<string, OptionSpec> = {
  json: { type: 'boolean', help: 'results and events as JSON lines' },
  project: { type: 'string', short: 'C', value: 'folder', help: 'project folder (default: the nearest one above here, else the one that came with the program)' },
  help: { type: 'boolean', short: 'h', help: 'this help' },
};

const stdout = (text: string): void => void process.stdout.write(text);
const stderr = (text: string): void => void process.stderr.write(text);

/** Runs the command line and ends the process. */
export async function main(argv: string[], home: string): Promise<void> {
  // A reader that goes away (`osbuild machines | head -1`) is not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  try {
    process.exitCode = await dispatch(argv, home);
  } catch (error) {
    process.exitCode = reportError(error, argv.includes('--json'));
  }
  // Something that still waits (a lock, a socket of a cancelled download) must not keep a finished command alive.
  await new Promise((resolve) => process.stdout.write('', resolve));
  process.exit();
}

async function dispatch(argv: string[], home: string): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const topic = commands.find((command) => command.name === rest[0]);
    stdout(topic ? commandHelp(topic, commonOptions) : overview(commands));
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    const { default: pkg } = await import('../../package.json', { with: { type: 'json' } });
    stdout(`osbuild ${pkg.version}\n`);
    return 0;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (!command) {
    const near = nearest(name, commands.map((candidate) => candidate.name));
    throw new OsbuildError('OSB_USAGE', `there is no command called "${name}"`, { hint: near ? `did you mean \`osbuild ${near}\`?` : '`osbuild --help` lists the commands' });
  }
  return runCommand(command, rest, home);
}

async function runCommand(command: Command, argv: string[], home: string): Promise<number> {
  const { values, positionals } = parse(command, argv);
  if (values['help'] === true) {
    stdout(commandHelp(command, commonOptions));
    return 0;
  }
  const { min, max } = command.arguments;
  if (positionals.length < min || positionals.length > max) {
    const problem = positionals.length < min ? 'an argument is missing' : `unexpected argument "${positionals[max]}"`;
    throw new OsbuildError('OSB_USAGE', problem, { hint: `usage: osbuild ${command.name} ${command.usage}` });
  }
  const abort = new AbortController();
  let interrupts = 0;
  const onSignal = (): void => {
    abort.abort();
    if (++interrupts > 1) process.exit(130); // a second Ctrl-C does not wait for what is being stopped
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const reporter = chooseReporter(values['json'] === true);
  const flags: Flags = {
    text: (option) => (typeof values[option] === 'string' ? values[option] : undefined),
    texts: (option) => (Array.isArray(values[option]) ? values[option].map(String) : []),
    on: (option) => values[option] === true,
  };
  const invocation: Invocation = {
    home,
    cwd: process.cwd(),
    words: positionals,
    flags,
    out: stdout,
    err: stderr,
    interactive: process.stdout.isTTY === true && process.stdin.isTTY === true,
    layout: new CacheLayout(defaultCacheFolder(process.env, homedir())),
    hostEnvironment: hostEnvironment(),
    remoteCache: remoteCache(),
    bucketCredentials: bucketCredentials(),
    sshAgent: process.env['SSH_AUTH_SOCK'] || undefined,
    dockerConfig: process.env['DOCKER_CONFIG'] || join(homedir(), '.docker'),
    signal: abort.signal,
    emit: (event: BuildEvent) => reporter.report(event),
  };
  try {
    return await command.run(invocation);
  } finally {
    await reporter.close();
  }
}

function parse(command: Command, argv: string[]): { values: Record<string, unknown>; positionals: string[] } {
  const options = { ...command.options, ...commonOptions };
  try {
    return parseArgs({ args: argv, options: parseConfig(options), allowPositionals: true, strict: true });
  } catch (error) {
    const unknown = /Unknown option '-*([^']+)'/.exec((error as Error).message)?.[1];
    const near = unknown === undefined ? null : nearest(unknown, Object.keys(options));
    const message = unknown === undefined ? (error as Error).message : `osbuild ${command.name} has no option --${unknown}`;
    throw new OsbuildError('OSB_USAGE', message, { hint: near ? `did you mean --${near}?` : `\`osbuild ${command.name} --help\` lists the options` });
  }
}

function chooseReporter(json: boolean): Reporter {
  const streams = { stdout, stderr };
  if (json) return jsonReporter(streams);
  return process.stderr.isTTY && process.stdout.isTTY && process.env['CI'] === undefined ? terminalReporter(streams) : plainReporter(streams);
}

function remoteCache(): Invocation['remoteCache'] {
  const { OSBUILD_REMOTE_CACHE: url, OSBUILD_REMOTE_CACHE_PUSH: push, OSBUILD_REMOTE_CACHE_TOKEN: token } = process.env;
  if (push !== undefined && !['', '0', '1'].includes(push)) throw new OsbuildError('OSB_USAGE', `OSBUILD_REMOTE_CACHE_PUSH is "${push}"`, { hint: '1: store results there; 0: only take them' });
  return { ...(url === undefined ? {} : { url }), ...(push ? { push: push === '1' } : {}), ...(token ? { token } : {}) };
}

/** Those that bitbake hands to its fetcher for buckets. */
function bucketCredentials(): Record<string, string> {
  const names = ['AWS_PROFILE', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_DEFAULT_REGION'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** Secrets of the caller's environment stay out of everything that is built. */
function hostEnvironment(): Record<string, string> {
  const passed = ['HOME', 'USER', 'LOGNAME', 'http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'APT_CONFIG', 'TMPDIR'];
  const environment: Record<string, string> = { PATH: withSystemFolders(process.env['PATH'] ?? ''), LC_ALL: 'C.UTF-8' };
  for (const name of passed) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** An ordinary user's PATH lacks the folders where unshare's helpers and chroot are. */
function withSystemFolders(path: string): string {
  const folders = path.split(':').filter(Boolean);
  for (const folder of ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']) if (!folders.includes(folder)) folders.push(folder);
  return folders.join(':');
}

function reportError(error: unknown, json: boolean): number {
  if (!(error instanceof OsbuildError)) {
    stderr(`osbuild: a bug of osbuild: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  }
  if (json) stdout(`${JSON.stringify({ type: 'error', code: error.code, message: error.message, hint: error.hint, details: error.details })}\n`);
  else stderr(`osbuild: ${error.message}\n${error.hint ? `  hint: ${error.hint}\n` : ''}`);
  return exitCode(error.code);
}
