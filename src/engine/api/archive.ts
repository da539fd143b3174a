import { base64, encode } from 'host:bytes';
import { readArchive, statPath, withFiles, writeArchive, type PathStat } from '../containers/index.ts';
import { EngineError } from '../error.ts';
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
  const found = await withFiles(containers, container, 'with-volumes', (root) => Promise.resolve(statPath(root, path, container.id)));
  await request.exchange.respond(200, statHeader(found), '');
}

export async function read({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  const path = pathOf(request);
  await withFiles(containers, container, 'with-volumes', async (root) => {
    const found = statPath(root, path, container.id);
    const stream = await request.exchange.stream(200, { 'Content-Type': 'application/x-tar', ...statHeader(found) });
    await writeArchive(containers.system.files, root, path, stream);
    await stream.end();
  });
}

export async function write({ containers }: ApiContext, request: ApiRequest): Promise<void> {
  const container = containers.collection.find(param(request, 'id'));
  await readArchive(containers, container, pathOf(request), request.exchange.body, request.query.flag('noOverwriteDirNonDir'));
  await sendEmpty(request, 200);
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
    await writeArchive(files, root, '/', stream);
    await stream.end();
  } finally {
    root.close();
    if (!live && container.record.state.pid === 0) containers.rootfs.unmount(container.id);
  }
}
