import { CliError } from '../cli-error.ts';
import { ApiError } from '../api/api-client.ts';
import { atLeast, type Command, type CommandContext } from '../command.ts';
import { createFlags } from '../create/create-flags.ts';
import { buildCreateRequest, type CreateRequest } from '../create/create-request.ts';
import { parseKeyValueFile } from '../create/environment.ts';
import { familiarName } from '../output/image-name.ts';
import { errorCode, reasonOf } from '../ports.ts';
import { pullImage } from './image-pull.ts';

interface CreateAnswer {
  readonly Id: string;
  readonly Warnings?: readonly string[] | null;
}

export interface CreatedContainer {
  readonly id: string;
  readonly request: CreateRequest;
}

export function readNamedFile(context: CommandContext, path: string): string {
  try {
    return context.ports.files.readText(path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new CliError(`open ${path}: ${reasonOf(error)}`, 1, { cause: error });
  }
}

/** seccomp=FILE goes to the daemon as the file's contents; key:value is the old way to write key=value. */
function securityOptions(context: CommandContext): string[] {
  return context.flags.list('security-opt').map((given) => {
    const option = given.includes('=') ? given : given.replace(':', '=');
    const equals = option.indexOf('=');
    if (equals < 0 && option !== 'no-new-privileges') throw new CliError(`invalid --security-opt: ${JSON.stringify(given)}`);
    const value = option.slice(equals + 1);
    if (!option.startsWith('seccomp=')) return given;
    if (['unconfined', 'builtin'].includes(value)) return option;
    let text: string;
    try {
      text = readNamedFile(context, value);
    } catch (error) {
      throw error instanceof CliError ? new CliError(`opening seccomp profile (${value}) failed: ${error.message}`, 1, { cause: error }) : error;
    }
    try {
      return `seccomp=${JSON.stringify(JSON.parse(text))}`;
    } catch {
      throw new CliError(`compacting json for seccomp profile (${value}) failed: it is not JSON`);
    }
  });
}

export function createRequest(context: CommandContext): CreateRequest {
  const { flags, ports } = context;
  const lines = (flag: string) => flags.list(flag).flatMap((path) => parseKeyValueFile(path, readNamedFile(context, path)));
  return buildCreateRequest(flags, context.args, {
    environment: ports.process.environment(), workingDirectory: ports.process.workingDirectory,
    envFileLines: lines('env-file'), labelFileLines: lines('label-file'), securityOptions: securityOptions(context),
    consoleSize: flags.bool('tty') && ports.stdout.isTty ? ports.terminal.size() : null,
  });
}

/** Creates the container that the command line describes, pulling its image when it is missing. */
export async function createContainer(context: CommandContext, request: CreateRequest): Promise<CreatedContainer> {
  const { api, flags, ports } = context;
  const cidFile = flags.string('cidfile');
  if (cidFile !== '' && ports.files.stat(cidFile)) throw new CliError(`container ID file found, make sure the other container isn't running or delete ${cidFile}`);
  const pull = async () => pullImage(context, request.Image, { platform: flags.string('platform'), quiet: flags.bool('quiet'), output: ports.stderr });
  const create = async () => api.post<CreateAnswer>('/containers/create', { query: { name: flags.string('name'), platform: flags.string('platform') }, json: request });
  if (flags.string('pull') === 'always') await pull();
  let answer: CreateAnswer;
  try {
    answer = await create();
  } catch (error) {
    const missing = error instanceof ApiError && error.status === 404 && /no such image|image .*not found/i.test(error.reason);
    if (!missing || flags.string('pull') !== 'missing') throw error;
    if (!flags.bool('quiet')) await context.warn(`Unable to find image '${familiarName(request.Image)}' locally`);
    await pull();
    answer = await create();
  }
  for (const warning of answer.Warnings ?? []) await context.warn(`WARNING: ${warning}`);
  if (cidFile !== '') ports.files.writeText(cidFile, answer.Id, 0o644);
  return { id: answer.Id, request };
}

export const createCommand: Command = {
  path: ['container', 'create'], aliases: [['create']], usage: 'IMAGE [COMMAND] [ARG...]', summary: 'Create a new container',
  flags: createFlags, args: atLeast(1), interspersed: false, failureCode: 125, completeArgs: 'image',
  async run(context) {
    const { id } = await createContainer(context, createRequest(context));
    await context.print(`${id}\n`);
    return 0;
  },
};
