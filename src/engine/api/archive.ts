import { base64, encode } from 'host:bytes';
import { isLive, pathArchive, readArchive, statPath, withFiles, type PathStat } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import type { ByteSink } from '../ports/index.ts';
import { treeArchive } from '../tree/index.ts';
import type { ApiContext } from './context.ts';
import { param, sendEmpty, type ApiRequest } from './request.ts';

function pathOf(request: ApiRequest): string {
  const path = request.query.get('path') ?? '';
  if (path === '') throw new EngineError('invalid', 'PATH_MISSING', 'missing path: the query names none');
  return path.startsWith('/') ? path : `/${path}`;
}

function statHeader(stat: PathStat): Record<string, string> {
  return { 'X-Docker-Container-Path-Stat': base64(encode(JSON.stringify(stat))) };
}

export async function stat({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  const path = pathOf(request);
  const found = await withFiles(containers, container, 'with-volumes', (root) => Promise.resolve(statPath(root, path, param(request, 'id'))));
  await request.exchange.respond(200, statHeader(found), '');
}

export async function read({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  const path = pathOf(request);
  await withFiles(containers, container, 'with-volumes', async (root) => {
    const found = statPath(root, path, param(request, 'id'));
    const stream = await request.exchange.stream(200, { 'Content-Type': 'application/x-tar', ...statHeader(found) });
    await send(pathArchive(containers.system.files, root, path, isLive(container.record.state)), stream);
    await stream.end();
  });
}

export async function write({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  const { query } = request;
  const target = { path: pathOf(request), container: param(request, 'id'), keepTypes: query.flag('noOverwriteDirNonDir'), asUser: query.flag('copyUIDGID') };
  await readArchive(containers, container, target, request.exchange.body);
  await sendEmpty(request, 200);
}

async function send(archive: Generator<Uint8Array>, sink: ByteSink): Promise<void> {
  for (const part of archive) await sink.write(part);
}

/** All of the container's files, without its mounts. */
export async function exportContainer({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  const { files } = containers.system;
  const live = container.record.state.pid > 0;
  const path = containers.rootfs.mount(container.id, container.record.diffIds);
  const root = files.openRoot(path);
  try {
    const stream = await request.exchange.stream(200, { 'Content-Type': 'application/octet-stream' });
    await send(treeArchive({ files, root, path: '/', name: null }), stream);
    await stream.end();
  } finally {
    root.close();
    if (!live && container.record.state.pid === 0) containers.rootfs.unmount(container.id);
  }
}
