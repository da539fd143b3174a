import { createFields, inUse, nowIso } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import type { Volume } from '../volumes/index.ts';
import type { ApiContext } from './context.ts';
import { param, parseFilters, readJson, sendEmpty, sendJson, type ApiRequest } from './request.ts';

export function volumeView({ containers }: ApiContext, volume: Volume): Record<string, unknown> {
  return {
    CreatedAt: volume.created,
    Driver: 'local',
    Labels: Object.keys(volume.labels).length === 0 && !volume.anonymous ? null : { ...(volume.anonymous ? { 'com.docker.volume.anonymous': '' } : {}), ...volume.labels },
    Mountpoint: containers.volumes.path(volume.name),
    Name: volume.name,
    Options: Object.keys(volume.options).length === 0 ? null : volume.options,
    Scope: 'local',
  };
}

export async function list(context: ApiContext, request: ApiRequest): Promise<void> {
  const filters = parseFilters(request, ['dangling', 'driver', 'label', 'name']);
  const dangling = filters.get('dangling')?.[0];
  const names = filters.get('name') ?? [];
  const labels = filters.get('label') ?? [];
  const volumes = context.containers.volumes.all().filter((volume) => {
    if (dangling !== undefined && inUse(context.containers, volume.name) === (dangling === 'true' || dangling === '1')) return false;
    if (names.length > 0 && !names.some((name) => volume.name.includes(name))) return false;
    return labels.every((label) => {
      const [key = '', value] = label.split('=', 2);
      return volume.labels[key] !== undefined && (value === undefined || volume.labels[key] === value);
    });
  });
  await sendJson(request, 200, { Volumes: volumes.map((volume) => volumeView(context, volume)), Warnings: null });
}

export async function create(context: ApiContext, request: ApiRequest): Promise<void> {
  const { containers } = context;
  const fields = createFields((await readJson(request)) ?? {}, 'volume');
  const driver = fields.text('Driver');
  const options = fields.textMap('DriverOpts') ?? {};
  const name = fields.text('Name');
  if (driver !== '' && driver !== 'local') throw new EngineError('not-found', 'VOLUME_DRIVER', `error looking up volume plugin ${driver}: plugin "${driver}" not found`);
  if (Object.keys(options).length > 0) throw new EngineError('not-implemented', 'VOLUME_OPTIONS', 'options of the local volume driver are not supported yet');
  if (name !== '' && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw new EngineError('invalid', 'VOLUME_NAME', `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`);
  }
  const { volume, fresh } = await containers.volumes.ensure({
    name: name === '' ? containers.system.machine.randomHex(32) : name, created: nowIso(containers), labels: fields.textMap('Labels') ?? {}, options, anonymous: name === '',
  });
  if (fresh) containers.events.emit('volume', 'create', volume.name, { driver: 'local' });
  await sendJson(request, 201, volumeView(context, volume));
}

function findVolume({ containers }: ApiContext, name: string): Volume {
  const volume = containers.volumes.get(name);
  if (volume === undefined) throw new EngineError('not-found', 'VOLUME_UNKNOWN', `get ${name}: no such volume`);
  return volume;
}

export async function inspect(context: ApiContext, request: ApiRequest): Promise<void> {
  await sendJson(request, 200, volumeView(context, findVolume(context, param(request, 'name'))));
}

export async function remove(context: ApiContext, request: ApiRequest): Promise<void> {
  const name = param(request, 'name');
  if (context.containers.volumes.get(name) === undefined && request.query.flag('force')) {
    await sendEmpty(request, 204);
    return;
  }
  findVolume(context, name);
  const user = context.containers.collection.all().find(({ record }) => record.mounts.some((mount) => mount.type === 'volume' && mount.name === name));
  if (user !== undefined) throw new EngineError('conflict', 'VOLUME_IN_USE', `remove ${name}: volume is in use - [${user.id}]`);
  await context.containers.volumes.remove(name);
  context.containers.events.emit('volume', 'destroy', name, { driver: 'local' });
  await sendEmpty(request, 204);
}

export async function prune(context: ApiContext, request: ApiRequest): Promise<void> {
  const filters = parseFilters(request, ['all', 'label', 'label!']);
  const all = ['true', '1'].includes(filters.get('all')?.[0] ?? '');
  const { volumes, system } = context.containers;
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const volume of volumes.all()) {
    if (inUse(context.containers, volume.name) || (!all && !volume.anonymous)) continue;
    reclaimed += (await system.files.diskUsage(volumes.path(volume.name))).allocatedBytes;
    await volumes.remove(volume.name);
    deleted.push(volume.name);
  }
  await sendJson(request, 200, { VolumesDeleted: deleted, SpaceReclaimed: reclaimed });
}
