import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from './free-port.ts';
import { openSlowLink, type SlowLink } from './slow-link.ts';
import type { ToolsTree } from './tools-tree.ts';

/** A registry on the host, at the other end of a link whose speed can be set. */
export interface Registry {
  link: SlowLink;
  close(): Promise<void>;
}

/** Starts Debian's docker-registry with an empty store below `folder`. */
export async function startRegistry(tree: ToolsTree, folder: string): Promise<Registry> {
  const port = await freePort();
  await mkdir(join(folder, 'store'), { recursive: true });
  const configuration = { version: 0.1, log: { level: 'warn' }, storage: { filesystem: { rootdirectory: '/registry/store' } }, http: { addr: `127.0.0.1:${port}`, relativeurls: true } };
  await writeFile(join(folder, 'config.yml'), JSON.stringify(configuration)); // JSON is YAML
  const server = await tree.start({ argv: ['docker-registry', 'serve', '/registry/config.yml'], mounts: { '/registry': { path: folder, rw: true } }, name: 'registry', stdio: 'pipe' });
  const said: string[] = [];
  for (const stream of [server.stdout, server.stderr]) stream?.on('data', (chunk: Buffer | string) => said.push(chunk.toString()));
  let ended = false;
  const end = new Promise<void>((resolve) => {
    server.once('error', () => resolve(void (ended = true)));
    server.once('close', () => resolve(void (ended = true)));
  });
  const close = async (): Promise<void> => {
    server.kill('SIGKILL');
    await end;
  };
  for (const deadline = Date.now() + 60_000; ; await sleep(200)) {
    const answered = await fetch(`http://127.0.0.1:${port}/v2/`).then(({ ok }) => ok, () => false);
    if (answered) break;
    if (!ended && Date.now() < deadline) continue;
    await close();
    throw new Error(`the registry does not answer: ${said.join('').trim().slice(-500)}`);
  }
  const link = await openSlowLink(port);
  return {
    link,
    close: async () => {
      await link.close();
      await close();
    },
  };
}
