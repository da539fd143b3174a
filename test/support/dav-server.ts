import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';

import { freePort } from '../../src/device/free-port.ts';

export interface CacheServer {
  /** With its user and password. */
  url: string;
  close(): Promise<void>;
}

/** nginx on loopback with WebDAV's PUT and a user `team` with the password `secret`: the least that a team would set up. */
export async function startDavServer(): Promise<CacheServer> {
  const work = await mkdtemp(join(tmpdir(), 'osbuild-dav-'));
  const folder = join(work, 'store');
  await mkdir(folder);
  const port = await freePort();
  await writeFile(join(work, 'users'), 'team:{PLAIN}secret\n');
  await writeFile(
    join(work, 'nginx.conf'),
    `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;
pid ${work}/nginx.pid;
error_log stderr;
worker_processes 1;
events {}
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path ${work}/body;
  proxy_temp_path ${work}/proxy;
  fastcgi_temp_path ${work}/fastcgi;
  uwsgi_temp_path ${work}/uwsgi;
  scgi_temp_path ${work}/scgi;
  server {
    listen 127.0.0.1:${port};
    root ${folder};
    auth_basic cache;
    auth_basic_user_file ${work}/users;
    dav_methods PUT;
    create_full_put_path on;
  }
}
`,
  );
  const nginx = execa('nginx', ['-c', join(work, 'nginx.conf'), '-p', work], { reject: false, all: true, forceKillAfterDelay: 5000 });
  const url = `http://team:secret@127.0.0.1:${port}/osbuild`;
  for (let attempt = 0; ; attempt++) {
    if (await fetch(`http://127.0.0.1:${port}/`).then(() => true, () => false)) break;
    if (attempt === 300 || nginx.exitCode !== undefined && nginx.exitCode !== null) throw new Error(`nginx did not start: ${(await nginx).all}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    url,
    async close() {
      nginx.kill('SIGTERM');
      await nginx;
      await rm(work, { recursive: true, force: true });
    },
  };
}
