import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { imageConfig, oldStyleArchive, sha256 } from '../support/docker-archive.ts';
import { callEngine, callGood, failureOf, type Answer } from '../support/engine-call.ts';
import { waitFor } from '../support/lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import { createReplay, loggedDiskObstacle, openLoggedDisk, readDiskLog, type LoggedDisk } from '../support/logged-disk.ts';
import { makeLayer, randomNumbers } from '../support/made-layer.ts';
import type { TestRegistry } from '../support/registry.ts';
import { readStore, storeFaults, type StoreState } from '../support/store-state.ts';
import { tarFile, tarOf } from '../support/tar-writer.ts';

// `OSBUILD_CUT_POINTS=all` cuts after every write and every flush, in two ways each.
const POINTS = process.env['OSBUILD_CUT_POINTS'] ?? '10';
const SEED = process.env['OSBUILD_CUT_SEED'] ?? '1';
const DISK_BYTES = 48 * 1024 * 1024;
/** Every so many cuts what was cut off is done again. */
const AGAIN_EVERY = 4;

/** What an operation does to what is there; `began` and `ended` are places in the disk's log. */
interface Step {
  what: string;
  run(): Promise<Answer>;
  /** Whether its effect is there. */
  done(state: StoreState): boolean;
  began: number;
  ended: number;
}

describeLab('a power cut', (lab) => {
  let registry: TestRegistry;
  let disk: LoggedDisk;
  let daemon: ReturnType<typeof lab.spawn> | undefined;
  const contents = new Map<string, Record<string, string>>();
  const layers = { below: makeLayer('below', '1'), first: makeLayer('app', '1'), second: makeLayer('app', '2'), loaded: makeLayer('loaded', '1') };
  for (const { tar, contents: files } of Object.values(layers)) contents.set(`sha256:${sha256(tar)}`, files);
  const [one, two] = ['localhost:5000/app:1', 'localhost:5000/app:2'];
  const socket = (): string => join(lab.folder, 'cut.sock');

  const start = async (folder: string): Promise<void> => {
    const child = lab.spawn([process.env['OSBUILD_ENGINE_BINARY'] ?? '', 'daemon', '-H', `unix://${socket()}`, '--data-root', `${folder}/data`, '--exec-root', `${lab.folder}/cut-run`, '--pidfile', '', '--bridge', 'none']);
    let said = '';
    child.stderr?.on('data', (data: Buffer) => (said += data.toString()));
    child.stdout?.on('data', (data: Buffer) => (said += data.toString()));
    daemon = child;
    await waitFor(async () => child.exitCode !== null || (await callEngine(socket(), 'GET', '/_ping')).status === 200, 60_000);
    if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}: ${said}`);
  };
  const kill = async (): Promise<void> => {
    if (daemon === undefined) return;
    const ended = new Promise((resolve) => daemon?.once('exit', resolve));
    daemon.kill('SIGKILL');
    await ended;
    daemon = undefined;
  };
  /** A folder that only the lab sees, as we can read it while the daemon runs. */
  const seen = (folder: string): string => `/proc/${daemon?.pid ?? 0}/root${folder}/data`;
  const call = (method: string, path: string, body?: Buffer | object): Promise<Answer> => callEngine(socket(), method, path, body);
  const pull = (name: string, delta: string): Promise<Answer> => call('POST', `/images/create?fromImage=${encodeURIComponent(name)}&delta=${delta}`);
  const named = (name: string) => (state: StoreState): boolean => state.names[name.startsWith('localhost') ? name : `docker.io/library/${name}`] !== undefined;
  const containers = (state: StoreState): boolean => state.used.size > 0;
  const archive = oldStyleArchive('loaded:1', [layers.below, layers.loaded]);
  const context = tarOf([tarFile('Dockerfile', `FROM ${one}\nCOPY data /data\n`), tarFile('data', 'what is built')]);
  const step = (what: string, run: () => Promise<Answer>, done: (state: StoreState) => boolean): Step => ({ what, run, done, began: -1, ended: -1 });
  const steps: Step[] = [
    step('pull', () => pull(one, 'never'), named(one)),
    step('delta pull', () => pull(two, 'require'), named(two)),
    step('load', () => call('POST', '/images/load', archive), named('loaded:1')),
    step('build', () => call('POST', '/build?t=built:1', context), named('built:1')),
    step('create', () => call('POST', '/containers/create?name=victim', { Image: 'loaded:1', Cmd: ['x'], HostConfig: { NetworkMode: 'none' } }), containers),
    step('rm', () => call('DELETE', '/containers/victim'), (state) => !containers(state)),
    step('rmi', () => call('DELETE', `/images/${encodeURIComponent(two)}`), (state) => !named(two)(state)),
    step('prune', () => call('POST', `/images/prune?filters=${encodeURIComponent('{"dangling":["false"]}')}`), (state) => !named('loaded:1')(state)),
  ];
  /** Which steps take away what others made. */
  const undoes: Record<string, readonly string[]> = { rm: ['create'], rmi: ['delta pull'], prune: ['pull', 'load', 'build'] };

  beforeAll(async () => {
    registry = await serveRegistry(lab, 5000);
    for (const [tag, layer] of [['1', layers.first], ['2', layers.second]] as const) {
      registry.putImage('app', tag, [{ tar: layers.below.tar }, { tar: layer.tar, blob: gzipSync(layer.tar), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }], { config: imageConfig([layers.below.tar, layer.tar]) });
      await callGood(lab.socket, 'POST', `/images/create?fromImage=${encodeURIComponent(`localhost:5000/app:${tag}`)}`);
    }
    await callGood(lab.socket, 'POST', `/images/delta?src=${encodeURIComponent(one)}&dest=${encodeURIComponent(two)}&t=${encodeURIComponent('localhost:5000/app:delta')}`);
    await callGood(lab.socket, 'POST', '/images/localhost:5000%2Fapp/push?tag=delta');
    await lab.signalDaemon('SIGTERM');
    disk = await openLoggedDisk(lab, DISK_BYTES);
  });
  afterAll(async () => {
    await kill();
    lab.run(['umount', '-l', join(lab.folder, 'cut')]);
    await disk?.close();
    await registry?.close();
  });

  it('leaves whole images or none, after any write, and whatever of the later ones was lost', async () => {
    await start(disk.folder);
    for (const each of steps) {
      each.began = disk.logBytes();
      expect([each.what, failureOf(await each.run())]).toEqual([each.what, undefined]);
      // From here on it has to be there, whatever happens.
      each.ended = disk.logBytes();
      expect([each.what, each.done(readStore(seen(disk.folder)))]).toEqual([each.what, true]);
    }
    await kill();
    const entries = readDiskLog(disk.logPath);
    const first = entries.findIndex(({ end }) => end > (steps[0]?.began ?? 0));
    const random = randomNumbers(SEED);
    const all = entries.length - first;
    const counts = POINTS === 'all' ? Array.from({ length: 2 * all }, (_, index) => first + 1 + Math.floor(index / 2)) : Array.from({ length: Number(POINTS) }, (_, index) => first + 1 + Math.floor(((index + random()) / Number(POINTS)) * all));
    const replay = createReplay(disk, entries);
    const cut = join(lab.folder, 'cut');
    mkdirSync(cut);
    const began = Date.now();
    const tally = new Map<string, number>();
    for (const [index, count] of counts.entries()) {
      // In turn: the cache wrote everything in order; any half of the blocks got lost.
      const keeps = index % 2 === 0 ? () => true : () => random() < 0.5;
      replay(count, keeps, `${cut}.img`);
      const place = entries[count - 1]?.end ?? 0;
      const during = steps.find(({ ended }) => place < ended)?.what ?? 'the end';
      const where = `seed ${SEED}, cut ${index} after entry ${count} of ${entries.length}, ${during}`;
      tally.set(during, (tally.get(during) ?? 0) + 1);
      const mounted = lab.run(['mount', '-o', 'loop', `${cut}.img`, cut]);
      expect([where, mounted.stderr]).toEqual([where, '']);
      try {
        await start(cut);
        expect([where, ...storeFaults(seen(cut), contents)]).toEqual([where]);
        const state = readStore(seen(cut));
        for (const each of steps) {
          const undone = steps.find(({ what }) => undoes[what]?.includes(each.what) === true);
          const began = undone !== undefined && place > undone.began;
          if (place >= each.ended && !began) expect([where, each.what, each.done(state)]).toEqual([where, each.what, true]);
          if (place <= each.began && undoes[each.what] === undefined) expect([where, each.what, each.done(state)]).toEqual([where, each.what, false]);
        }
        const listed = (JSON.parse(await callGood(socket(), 'GET', '/images/json?all=1')) as { Id: string }[]).map(({ Id }) => Id);
        expect([where, listed.toSorted()]).toEqual([where, [...state.images.keys()].toSorted()]);
        const checked = lab.run([process.env['OSBUILD_ENGINE_BINARY'] ?? '', '-H', `unix://${socket()}`, 'system', 'check']);
        expect([where, checked.code, checked.stdout.split('\n').at(-2)]).toEqual([where, 0, 'Nothing is wrong']);
        if (index % AGAIN_EVERY === 0) {
          for (const name of [one, two]) expect([where, failureOf(await pull(name, 'auto'))]).toEqual([where, undefined]);
          expect([where, ...storeFaults(seen(cut), contents)]).toEqual([where]);
        }
      } finally {
        await kill();
        await waitFor(() => lab.run(['umount', cut]).code === 0, 30_000);
      }
      // Long runs tell how far they are.
      if (index % 50 === 49) process.stderr.write(`${index + 1} cuts among ${all} writes and flushes, seed ${SEED}, ${Math.round((Date.now() - began) / 1000)} s: ${[...tally].map(([what, number]) => `${what} ${number}`).join(', ')}\n`);
    }
  }, 120_000 + (POINTS === 'all' ? 7_200_000 : Number(POINTS) * 20_000));
}, { image: false, obstacle: loggedDiskObstacle() });
