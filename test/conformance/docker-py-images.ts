import { gzipSync } from 'node:zlib';
import { serveRegistry } from '../engine/support/lab-registry.ts';
import type { Lab } from '../engine/support/lab.ts';
import type { TestRegistry } from '../engine/support/registry.ts';
import { rootfsTar } from '../engine/support/rootfs-tar.ts';
import { sha256 } from '../engine/support/docker-archive.ts';
import { tarFile, tarFolder, tarOf } from '../engine/support/tar-writer.ts';

export const REGISTRY_PORT = 5000;

const ENV = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];

/** Of alpine's users those that the tests name. */
const PASSWD = 'root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n';

/** The hub's place is taken by a registry in the lab that has what the tests pull; alpine and busybox are there from the start. */
export async function provideImages(lab: Lab): Promise<TestRegistry> {
  const registry = await serveRegistry(lab, REGISTRY_PORT);
  const root = rootfsTar();
  const folders = tarOf([...['home', 'media', 'mnt', 'opt', 'run', 'srv', 'usr', 'usr/bin', 'var/log', 'var/opt', 'var/run'].map((path) => tarFolder(path)), tarFile('etc/passwd', PASSWD)]);
  const put = (name: string, tag: string, command: string[], layers: Buffer[]): void => {
    const config = {
      architecture: 'amd64', os: 'linux', created: '2020-01-01T00:00:00Z', config: { Env: ENV, Cmd: command },
      rootfs: { type: 'layers', diff_ids: layers.map((tar) => `sha256:${sha256(tar)}`) }, history: layers.map(() => ({ created: '2020-01-01T00:00:00Z', created_by: name })),
    };
    registry.putImage(`library/${name}`, tag, layers.map((tar) => ({ tar, blob: gzipSync(tar) })), { docker: true, config: JSON.stringify(config) });
  };
  put('alpine', '3.10', ['/bin/sh'], [root, folders]);
  put('alpine', 'latest', ['/bin/sh'], [root, folders]);
  put('busybox', 'latest', ['sh'], [root, folders]);
  put('hello-world', 'latest', ['/hello'], [root, tarOf([tarFile('hello', '#!/bin/sh\necho Hello from Docker!\n', { mode: 0o755 })])]);
  for (const image of ['alpine:3.10', 'alpine:latest', 'busybox:latest']) await pull(lab, image);
  return registry;
}

/** Not the lab's own docker(): the registry answers from this process, which must not wait in place. */
async function pull(lab: Lab, image: string): Promise<void> {
  const { code, stderr } = await lab.dockerAsync('pull', '-q', image);
  if (code !== 0) throw new Error(`docker pull ${image}: ${stderr}`);
}
