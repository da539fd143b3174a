import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';

import { freePort } from '../../src/device/free-port.ts';
import type { CacheServer } from './dav-server.ts';

/** The program, where the environment names one; Debian has no package of it. */
export const bazelRemote = process.env['OSBUILD_BAZEL_REMOTE'] ?? '';

/** bazel-remote on loopback with a user `team` and the password `secret`, checking results as it does by itself. */
export async function startBazelRemote(): Promise<CacheServer> {
  const work = await mkdtemp(join(tmpdir(), 'osbuild-bazel-remote-'));
  const port = await freePort();
  const { stdout: hash } = await execa('openssl', ['passwd', '-apr1', 'secret']);
  await writeFile(join(work, 'users'), `team:${hash}\n`);
  const server = execa(bazelRemote, ['--dir', join(work, 'store'), '--max_size', '10', '--http_address', `127.0.0.1:${port}`, '--grpc_address', 'none', '--htpasswd_file', join(work, 'users'), '--access_log_level', 'none'], { reject: false, all: true, forceKillAfterDelay: 5000 });
  for (let attempt = 0; ; attempt++) {
    if (await fetch(`http://127.0.0.1:${port}/status`).then(() => true, () => false)) break;
    if (attempt === 300 || (server.exitCode !== undefined && server.exitCode !== null)) throw new Error(`bazel-remote did not start: ${(await server).all}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    url: `http://team:secret@127.0.0.1:${port}`,
    async close() {
      server.kill('SIGTERM');
      await server;
      await rm(work, { recursive: true, force: true });
    },
  };
}
