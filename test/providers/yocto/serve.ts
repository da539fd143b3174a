import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { execa } from 'execa';
import { parse } from 'yaml';

import { freePort } from '../../../src/device/free-port.ts';
import type { SharedState } from '../../../src/providers/yocto/layers/resolve.ts';
import { bitbake } from './checkouts.ts';
import { home } from './support.ts';

export interface Ports {
  http: number;
  hash: number;
  pr: number;
}

export const freePorts = async (): Promise<Ports> => ({ http: await freePort(), hash: await freePort(), pr: await freePort() });

/** Runs `osbuild sstate serve` on loopback, for a project below `folder` whose bitbake is the checkout; its cache is `folder`/cache. */
export function serve(folder: string, ports: Ports, ...more: string[]) {
  mkdirSync(join(folder, 'project'), { recursive: true });
  writeFileSync(join(folder, 'project/build.config.yaml'), `base: osbuild\nyocto: { layers: { bitbake: { path: ${bitbake} } } }\n`);
  const words = ['sstate', 'serve', '--bind', '127.0.0.1', '--http-port', String(ports.http), '--hash-port', String(ports.hash), '--pr-port', String(ports.pr), ...more];
  return execa(join(home, 'osbuild'), words, { cwd: join(folder, 'project'), env: { OSBUILD_CACHE_DIR: join(folder, 'cache') }, reject: false, all: true, buffer: true });
}

/** Waits until all three servers answer; what they print for the others' build.config.yaml. */
export async function served(serving: ReturnType<typeof serve>): Promise<SharedState> {
  let text = '';
  await new Promise<void>((resolve, reject) => {
    serving.stdout?.on('data', (part: Buffer) => {
      text += part.toString();
      if (text.includes('prServer:')) resolve();
    });
    void serving.then((result) => reject(new Error(`the servers ended: ${result.all}`)));
  });
  return (parse(text) as { yocto: { sstate: SharedState } }).yocto.sstate;
}
