import {
  containerChanges, createContainer, checkContainerName, emit, killContainer, parseCreateRequest, pauseContainer, removeContainer, removeLink, restartContainer, startContainer, stopContainer,
  unpauseContainer, updateContainer, isLive, type Container,
} from '../containers/index.ts';
import { EngineError } from '../error.ts';
import { matchesContainer } from './container-filters.ts';
import { containerInspect, containerSummary } from './container-views.ts';
import type { ApiContext } from './context.ts';
import { listProcesses } from './processes.ts';
import { integer, param, parseFilters, readJson, sendEmpty, sendJson, type ApiRequest } from './request.ts';

const LIST_FILTERS = ['ancestor', 'before', 'expose', 'exited', 'health', 'id', 'is-task', 'isolation', 'label', 'name', 'network', 'publish', 'since', 'status', 'volume'];

function find({ containers }: ApiContext, request: ApiRequest): Container {
  return containers.collection.find(param(request, 'id'));
}

export async function list(context: ApiContext, request: ApiRequest): Promise<void> {
  const { collection } = context.containers;
  const filters = parseFilters(request, LIST_FILTERS);
  const limit = integer(request, 'limit') ?? 0;
  const everything = request.query.flag('all') || limit > 0 || filters.has('status') || filters.has('exited');
  const newestFirst = collection.all().toSorted((a, b) => (a.record.created < b.record.created ? 1 : -1));
  const chosen = newestFirst.filter(({ record }) => (everything || isLive(record.state) || record.state.status === 'restarting') && matchesContainer(context.containers, record, filters));
  const shown = limit > 0 ? chosen.slice(0, limit) : chosen;
  const size = request.query.flag('size');
  await sendJson(request, 200, await Promise.all(shown.map(({ record }) => containerSummary(context, record, size))));
}

export async function create({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const created = await createContainer(containers, request.query.get('name') ?? '', parseCreateRequest(await readJson(request)));
  await sendJson(request, 201, { Id: created.id, Warnings: created.warnings });
}

export async function inspect(context: ApiContext, request: ApiRequest): Promise<void> {
  const { record, execIds } = find(context, request);
  const running = [...execIds].filter((id) => context.containers.execs.get(id)?.status === 'running');
  await sendJson(request, 200, await containerInspect(context, record, running, request.query.flag('size')));
}

export async function start(context: ApiContext, request: ApiRequest): Promise<void> {
  await startContainer(context.containers, find(context, request));
  await sendEmpty(request, 204);
}

function stopOptions(request: ApiRequest): { timeoutS: number | undefined; signal: string | undefined } {
  const signal = request.query.get('signal');
  return { timeoutS: integer(request, 't'), signal: signal === '' ? undefined : signal };
}

export async function stop(context: ApiContext, request: ApiRequest): Promise<void> {
  await stopContainer(context.containers, find(context, request), stopOptions(request));
  await sendEmpty(request, 204);
}

export async function restart(context: ApiContext, request: ApiRequest): Promise<void> {
  await restartContainer(context.containers, find(context, request), stopOptions(request));
  await sendEmpty(request, 204);
}

export async function kill(context: ApiContext, request: ApiRequest): Promise<void> {
  await killContainer(context.containers, find(context, request), request.query.get('signal') ?? '');
  await sendEmpty(request, 204);
}

export async function pause(context: ApiContext, request: ApiRequest): Promise<void> {
  await pauseContainer(context.containers, find(context, request));
  await sendEmpty(request, 204);
}

export async function unpause(context: ApiContext, request: ApiRequest): Promise<void> {
  await unpauseContainer(context.containers, find(context, request));
  await sendEmpty(request, 204);
}

export async function rename(context: ApiContext, request: ApiRequest): Promise<void> {
  const container = find(context, request);
  const name = request.query.get('name') ?? '';
  if (name === '') throw new EngineError('invalid', 'NAME_INVALID', 'Neither old nor new names may be empty');
  const oldName = container.record.name;
  await container.queue(() => context.containers.collection.rename(container, checkContainerName(name)));
  emit(context.containers, container, 'rename', { oldName: `/${oldName}` });
  await sendEmpty(request, 204);
}

export async function top(context: ApiContext, request: ApiRequest): Promise<void> {
  const container = find(context, request);
  if (!isLive(container.record.state)) throw new EngineError('conflict', 'NOT_RUNNING', `container ${container.id} is not running`);
  await sendJson(request, 200, listProcesses(context.containers.system.files, container.record.state.pid));
}

export async function remove(context: ApiContext, request: ApiRequest): Promise<void> {
  const { query } = request;
  if (query.flag('link')) {
    await removeLink(context.containers, param(request, 'id'));
    await sendEmpty(request, 204);
    return;
  }
  await removeContainer(context.containers, find(context, request), { force: query.flag('force'), volumes: query.flag('v') });
  await sendEmpty(request, 204);
}

export async function update({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  await updateContainer(containers, container, await readJson(request));
  await sendJson(request, 200, { Warnings: null });
}

export async function changes(context: ApiContext, request: ApiRequest): Promise<void> {
  const list = containerChanges(context.containers, find(context, request));
  await sendJson(request, 200, list.length === 0 ? null : list);
}

export async function prune({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const filters = parseFilters(request, ['label', 'until']);
  const until = Number(filters.get('until')?.[0] ?? Number.NaN);
  const labels = new Map([...filters].filter(([name]) => name === 'label'));
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const container of containers.collection.all()) {
    const { state, created } = container.record;
    if (isLive(state) || state.status === 'restarting' || !matchesContainer(containers, container.record, labels)) continue;
    if (!Number.isNaN(until) && Date.parse(created) > until * 1000) continue;
    reclaimed += (await containers.system.files.diskUsage(`${containers.collection.folder(container.id)}/upper`)).allocatedBytes;
    await removeContainer(containers, container, { force: false, volumes: false });
    deleted.push(container.id);
  }
  await sendJson(request, 200, { ContainersDeleted: deleted, SpaceReclaimed: reclaimed });
}

/** For routes elsewhere that read a terminal's size. */
export function terminalSize(request: ApiRequest): { rows: number; columns: number } {
  const rows = integer(request, 'h') ?? 0;
  const columns = integer(request, 'w') ?? 0;
  if (rows < 0 || columns < 0 || rows > 65535 || columns > 65535) throw new EngineError('invalid', 'SIZE_INVALID', `invalid terminal size ${columns}x${rows}`);
  return { rows, columns };
}

