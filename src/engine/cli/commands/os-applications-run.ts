import { pid } from 'host:process';
import { ComposeError, devicePlaces, fileSurroundings, findComposeFile, keepApplications, MAX_FILE_BYTES, readProject, REQUEST_VERBS, writeRequest, type ApplicationsStatus, type Request } from '../../compose/index.ts';
import { layoutTable } from '../../format/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { errorCode, reasonOf } from '../ports.ts';
import { applicationsEngine, hash } from './applications-engine.ts';

const places = devicePlaces;
const STATUS = `${places.run}/status.json`;
const POLL_MS = 100;
const ANSWER_PATIENCE_MS = 120_000;

/** `os applications`, with what it takes to keep them: read when it is called. */
export async function runApplications(context: CommandContext): Promise<number> {
  const [verb = '', ...args] = context.args;
  const format = context.flags.string('format');
  if (format !== '' && format !== 'json') throw new CliError(`"${format}" is no format: json, or none`);
  if (verb === 'run') return keep(context);
  if (verb === 'check') return check(context, args);
  const request = REQUEST_VERBS.find((name) => name === verb);
  if (request === undefined && verb !== 'status') throw new CliError(`'${verb}' is none of status, ${REQUEST_VERBS.join(', ')}, check`);
  if (args.length > 0 && (request === undefined || request === 'apply' || request === 'remove')) throw new CliError(`usage: ${context.program} os applications ${verb}`);
  return showStatus(context, request === undefined ? readStatus(context) : await ask(context, request, args));
}

/** The keeper itself: the unit runs it. */
async function keep(context: CommandContext): Promise<number> {
  const { files, clock } = context.ports.system();
  const ended = new Promise<void>((resolve) => {
    for (const name of ['TERM', 'INT'] as const) context.ports.process.onSignal(name, resolve);
  });
  const engine = applicationsEngine(context);
  await keepApplications({ files, clock, engine, hash, pid, say: (line) => void context.print(`${line}\n`) }, places, ended);
  return 0;
}

async function check(context: CommandContext, [path]: readonly string[]): Promise<number> {
  const { files } = context.ports.system();
  const given = path ?? findComposeFile(files, places) ?? '';
  if (given === '') throw new CliError(`there is no compose.yaml in ${places.sources.join(' or ')}`);
  const file = given.startsWith('/') ? given : `${context.ports.process.workingDirectory}/${given}`;
  try {
    const { project, warnings } = readProject(files.readText(file, MAX_FILE_BYTES), fileSurroundings({ files, hash }, file, places.state, new Set()));
    const services = project.services.map(({ name, image, platform }) => ({ name, image, platform }));
    if (context.flags.string('format') === 'json') await context.print(`${JSON.stringify({ project: project.name, warnings, services })}\n`);
    else await context.print([...warnings, ...services.map(({ name, image }) => `${name}: ${image}`)].map((line) => `${line}\n`).join(''));
    return 0;
  } catch (error) {
    if (error instanceof ComposeError) throw new CliError(error.message, 1, { cause: error });
    if (errorCode(error) === undefined) throw error;
    throw new CliError(`${given}: ${reasonOf(error)}`, 1, { cause: error });
  }
}

function readStatus({ ports }: CommandContext): ApplicationsStatus {
  const { files } = ports.system();
  const status = files.exists(STATUS) ? (JSON.parse(files.readText(STATUS)) as ApplicationsStatus) : undefined;
  if (status === undefined || !files.exists(`/proc/${status.pid}`)) throw new CliError('the keeper of applications does not run: systemctl status minke-applications');
  return status;
}

async function ask(context: CommandContext, verb: Request['verb'], services: readonly string[]): Promise<ApplicationsStatus> {
  const { process, clock } = context.ports;
  readStatus(context);
  const id = process.randomHex(8);
  await writeRequest(context.ports.system().files, places, { id, verb, services });
  for (const until = clock.now() + ANSWER_PATIENCE_MS; clock.now() < until; await clock.sleep(POLL_MS)) {
    const status = readStatus(context);
    const answer = status.requests.find((request) => request.id === id);
    if (answer === undefined) continue;
    if (answer.error !== null) throw new CliError(answer.error);
    return status;
  }
  throw new CliError('the keeper of applications is busy: the request stays; `minke os applications status` tells how far it is');
}

/** 1 while something is wrong. */
async function showStatus(context: CommandContext, status: ApplicationsStatus): Promise<number> {
  const wrong = status.problems.length + status.failures.length > 0 || status.services.some(({ state }) => state === 'failing');
  if (context.flags.string('format') === 'json') {
    await context.print(`${JSON.stringify(status)}\n`);
    return wrong ? 1 : 0;
  }
  await context.print(`project:  ${status.project ?? '(none)'}${status.stopped ? ', stopped' : ''}\nfile:     ${status.file ?? '(none)'}\n`);
  const rows = status.services.map(({ name, image, state, detail }) => [name, image, state, detail].join('\t'));
  if (rows.length > 0) await context.print(layoutTable(['SERVICE\tIMAGE\tSTATE\t', ...rows]).map((line) => `${line.trimEnd()}\n`).join(''));
  for (const line of status.warnings) await context.warn(`warning: ${line}`);
  for (const line of [...status.problems, ...status.failures]) await context.warn(line);
  return wrong ? 1 : 0;
}
