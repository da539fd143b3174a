import {
  bundleFolder, connectAttach, DEFAULT_DETACH_KEYS, emit, isLive, logBound, parseDetachKeys, pumpAttach, waitContainer, writeLogs, type WaitCondition,
} from '../containers/index.ts';
import { EngineError } from '../error.ts';
import { acceptWebSocket, collect, type Hijacked } from '../http/index.ts';
import { sleep } from '../ports/index.ts';
import { terminalSize } from './containers.ts';
import type { ApiContext } from './context.ts';
import { atLeast, param, sendEmpty, type ApiRequest } from './request.ts';

const RAW_TYPE = 'application/vnd.docker.raw-stream';
const MULTIPLEXED_TYPE = 'application/vnd.docker.multiplexed-stream';
const HEAD_PAUSE_MS = 20;
const BODY_LIMIT_BYTES = 64 * 1024;
const CONDITIONS: readonly WaitCondition[] = ['not-running', 'next-exit', 'removed'];

/** Since 1.42 the answer says which framing it has. */
export function streamType(request: ApiRequest, tty: boolean): string {
  return !tty && atLeast(request, 42) ? MULTIPLEXED_TYPE : RAW_TYPE;
}

export async function wait({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  const asked = request.query.get('condition') || 'not-running';
  const condition = CONDITIONS.find((candidate) => candidate === asked);
  if (condition === undefined) throw new EngineError('invalid', 'CONDITION', `invalid condition: "${asked}"`);
  // Registered before the head goes out: a client starts the container as soon as it has it.
  const exit = waitContainer(container, condition, request.exchange.gone);
  const stream = await request.exchange.stream(200, { 'Content-Type': 'application/json' });
  const code = await exit;
  if (code === undefined) return;
  await stream.write(`${JSON.stringify({ StatusCode: code, ...(condition === 'removed' || container.record.state.error === '' ? {} : { Error: { Message: container.record.state.error } }) })}\n`);
  await stream.end();
}

export async function attach(context: ApiContext, request: ApiRequest): Promise<void> {
  // dockerode sends its options as a body too; they are no input for the program.
  await collect(request.exchange.body, BODY_LIMIT_BYTES);
  await attachTo(context, request, false, (tty) => request.exchange.hijack(streamType(request, tty)));
}

/** The same for browsers: output without frames of Docker's own. */
export async function attachWebSocket(context: ApiContext, request: ApiRequest): Promise<void> {
  const { exchange } = request;
  const fields = acceptWebSocket(exchange.head);
  await attachTo(context, request, true, () => exchange.hijackWebSocket(fields, atLeast(request, 28)));
}

async function attachTo({ containers }: ApiContext, request: ApiRequest, plain: boolean, open: (tty: boolean) => Promise<Hijacked>): Promise<void> {
  const { exchange, query } = request;
  const container = containers.collection.find(param(request, 'id'));
  const { config, state } = container.record;
  if (state.status === 'paused') throw new EngineError('conflict', 'PAUSED', `container ${container.id} is paused, unpause the container before attach`);
  if (state.status === 'restarting') throw new EngineError('conflict', 'RESTARTING', `container ${container.id} is restarting, wait until the container is running`);
  const keys = parseDetachKeys(query.get('detachKeys') || DEFAULT_DETACH_KEYS);
  const stream = query.flag('stream');
  const streams = { stdin: query.flag('stdin') && config.OpenStdin && stream, stdout: query.flag('stdout') || config.Tty, stderr: query.flag('stderr'), raw: plain || config.Tty, detachKeys: config.Tty ? keys : new Uint8Array(0) };
  // Asked for before the head goes out, as for wait.
  const connecting = stream && (isLive(state) || state.status === 'created' || state.status === 'exited') ? connectAttach(containers, container, exchange.gone) : undefined;
  connecting?.catch(() => undefined);
  emit(containers, container, 'attach');
  const client = await open(config.Tty);
  try {
    if (query.flag('logs')) {
      // Some clients read the head through a buffer and lose what arrives along with it.
      await sleep(containers.system.clock, HEAD_PAUSE_MS);
      const all = { stdout: streams.stdout, stderr: streams.stderr, timestamps: false, since: '', until: '', raw: plain || config.Tty, follow: false, tail: undefined };
      await writeLogs(containers, container, all, client, exchange.gone);
    }
    const process = await connecting;
    if (process === undefined) await client.shutdown();
    if (process !== undefined && (await pumpAttach(containers.system.clock, process, client, streams, exchange.gone)) === 'detached') emit(containers, container, 'detach');
  } catch (error) {
    // A start that failed ends the attach; the client learns why from the start's own answer.
    containers.system.reporter.log('debug', 'an attach ended early', { container: container.id, error: String(error) });
  } finally {
    client.close();
  }
}

export async function resize({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  const { rows, columns } = terminalSize(request);
  if (!isLive(container.record.state)) throw new EngineError('conflict', 'NOT_RUNNING', `cannot resize a stopped container: container ${container.id} is not running`);
  if (container.record.config.Tty) containers.runtime.resize(bundleFolder(containers, container.id), rows, columns);
  await sendEmpty(request, 200);
}

export async function logs({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const { query, exchange } = request;
  const container = containers.collection.find(param(request, 'id'));
  const { config, hostConfig } = container.record;
  const [stdout, stderr] = [query.flag('stdout'), query.flag('stderr')];
  if (!stdout && !stderr) throw new EngineError('invalid', 'LOG_STREAMS', 'Bad parameters: you must choose at least one stream');
  if (hostConfig.LogConfig.Type === 'none') throw new EngineError('not-implemented', 'LOG_NONE', 'configured logging driver does not support reading');
  const since = logBound(query.get('since'));
  const until = logBound(query.get('until'));
  const tail = query.get('tail') ?? 'all';
  if (since === undefined || until === undefined) throw new EngineError('invalid', 'LOG_TIME', 'invalid value for since or until');
  const stream = await exchange.stream(200, { 'Content-Type': streamType(request, config.Tty) });
  const wanted = { stdout, stderr, timestamps: query.flag('timestamps'), since, until, raw: config.Tty, follow: query.flag('follow'), tail: /^\d+$/.test(tail) ? Number(tail) : undefined };
  await writeLogs(containers, container, wanted, stream, exchange.gone);
  await stream.end();
}
