import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { imageConfig, oldStyleArchive, sha256 } from '../support/docker-archive.ts';
import { callEngine, callGood, failureOf, type Answer } from '../support/engine-call.ts';
import { IMAGE } from '../support/lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import { makeLayer, noise, randomNumbers } from '../support/made-layer.ts';
import type { TestRegistry } from '../support/registry.ts';
import { readStore, storeFaults } from '../support/store-state.ts';
import { tarFile, tarOf } from '../support/tar-writer.ts';

// `OSBUILD_CRASH_ROUNDS=500 OSBUILD_CRASH_SEED=2` makes it a long run of another course.
const ROUNDS = Number(process.env['OSBUILD_CRASH_ROUNDS'] ?? 25);
const SEED = process.env['OSBUILD_CRASH_SEED'] ?? '1';

interface Operation {
  /** What has to stand before it, made without a kill. */
  prepare(): Promise<unknown>;
  run(round: number): Promise<Answer>;
  /** Whether its end has come about. */
  done(): boolean;
  /** Names that it may take away or move. */
  touches: readonly string[];
}

describeLab(`${ROUNDS} kills of the daemon`, (lab) => {
  let registry: TestRegistry;
  const contents = new Map<string, Record<string, string>>();
  const layers = { below: makeLayer('below', '1'), first: makeLayer('app', '1'), second: makeLayer('app', '2'), loaded: makeLayer('loaded', '1') };
  for (const { tar, contents: files } of Object.values(layers)) contents.set(`sha256:${sha256(tar)}`, files);
  const [one, two] = ['localhost:5000/app:1', 'localhost:5000/app:2'];

  const good = (method: string, path: string, body?: Buffer | object): Promise<string> => callGood(lab.socket, method, path, body);
  const call = (method: string, path: string, body?: Buffer | object): Promise<Answer> => callEngine(lab.socket, method, path, body);
  const pull = (name: string, delta: string): Promise<Answer> => call('POST', `/images/create?fromImage=${encodeURIComponent(name)}&delta=${delta}`);
  const named = (name: string): string | undefined => readStore(lab.dataRoot).names[name.startsWith('localhost') ? name : `docker.io/library/${name}`];
  const remove = async (name: string): Promise<unknown> => (named(name) === undefined ? undefined : good('DELETE', `/images/${encodeURIComponent(name)}`));
  const havePulled = async (name: string): Promise<void> => {
    if (named(name) === undefined) expect(failureOf(await pull(name, 'never'))).toBeUndefined();
  };
  const archive = oldStyleArchive('loaded:1', [layers.below, layers.loaded]);
  const haveLoaded = async (): Promise<unknown> => (named('loaded:1') === undefined ? good('POST', '/images/load', archive) : undefined);
  const context = (round: number): Buffer => tarOf([tarFile('Dockerfile', `FROM ${IMAGE}\nCOPY data /data-of-round\nRUN cat /data-of-round > /copied\n`), tarFile('data', noise(300_000, `built ${round}`))]);
  const pruneAll = `/images/prune?filters=${encodeURIComponent('{"dangling":["false"]}')}`;
  // The keeper is one.
  const haveVictim = (): boolean => readdirSync(join(lab.dataRoot, 'containers')).length > 1;
  let builtRound = -1;

  const operations: Record<string, Operation> = {
    pull: { prepare: () => remove(one), run: () => pull(one, 'never'), done: () => named(one) !== undefined, touches: [one] },
    'delta pull': { prepare: async () => (await havePulled(one), await remove(two)), run: () => pull(two, 'require'), done: () => named(two) !== undefined, touches: [two] },
    load: { prepare: () => remove('loaded:1'), run: () => call('POST', '/images/load', archive), done: () => named('loaded:1') !== undefined, touches: ['loaded:1'] },
    build: { prepare: () => remove('built:1'), run: (round) => ((builtRound = round), call('POST', '/build?t=built:1', context(round))), done: () => named('built:1') !== undefined, touches: ['built:1'] },
    rmi: { prepare: () => havePulled(one), run: () => call('DELETE', `/images/${encodeURIComponent(one)}`), done: () => named(one) === undefined, touches: [one] },
    prune: {
      prepare: async () => (await havePulled(one), await haveLoaded()),
      // Steps of builds that were cut are a cache, which has a prune of its own.
      run: async () => {
        const answer = await call('POST', pruneAll);
        return failureOf(answer) === undefined ? call('POST', '/build/prune?all=1') : answer;
      },
      done: () => readStore(lab.dataRoot).images.size === 1,
      touches: [one, two, 'loaded:1', 'built:1'],
    },
    rm: {
      prepare: async () => (await haveLoaded(), haveVictim() || (await good('POST', '/containers/create?name=victim', { Image: 'loaded:1', Cmd: ['x'] }))),
      run: () => call('DELETE', '/containers/victim'),
      done: () => !haveVictim(),
      touches: [],
    },
  };
  // It stands on the base image, which nothing takes away while a container is made of it.
  const keepBase = (): Promise<string> => good('POST', '/containers/create?name=keeper', { Image: IMAGE, Cmd: ['x'] });
  const dropVictim = async (): Promise<unknown> => call('DELETE', '/containers/victim');

  /** The files of what was built, from all layers of its image. */
  const builtFile = (path: string): string | undefined => {
    const { images, layers: folders, names } = readStore(lab.dataRoot);
    const file = images.get(names['docker.io/library/built:1'] ?? '')?.map((diffId) => join(folders.get(diffId) ?? '', 'diff', path)).findLast((candidate) => existsSync(candidate));
    return file === undefined ? undefined : sha256(readFileSync(file));
  };

  beforeAll(async () => {
    registry = await serveRegistry(lab, 5000);
    const zstd = spawnSync('zstd', ['-q', '-c'], { input: layers.below.tar, maxBuffer: 1e8 });
    const below = zstd.status === 0 ? { tar: layers.below.tar, blob: zstd.stdout, mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' } : { tar: layers.below.tar };
    for (const [tag, layer] of [['1', layers.first], ['2', layers.second]] as const) {
      registry.putImage('app', tag, [below, { tar: layer.tar, blob: gzipSync(layer.tar), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }], { config: imageConfig([layers.below.tar, layer.tar]) });
    }
    for (const name of [one, two]) await havePulled(name);
    await good('POST', `/images/delta?src=${encodeURIComponent(one)}&dest=${encodeURIComponent(two)}&t=${encodeURIComponent('localhost:5000/app')}`);
    const delta = Object.keys(readStore(lab.dataRoot).names).find((name) => name.startsWith('localhost:5000/app:delta')) ?? '';
    await good('POST', `/images/localhost:5000%2Fapp/push?tag=${delta.split(':').at(-1) ?? ''}`);
    await remove(delta);
  });
  afterAll(() => registry?.close());

  it('loses nothing, leaves nothing, and goes on', async () => {
    const random = randomNumbers(SEED);
    const kinds = Object.keys(operations);
    const durationsMs = new Map<string, number>();
    const counts: Record<string, { rounds: number; cut: number }> = Object.fromEntries(kinds.map((kind) => [kind, { rounds: 0, cut: 0 }]));
    await keepBase();
    const start = Date.now();
    for (let round = 0; round < ROUNDS; round += 1) {
      // Each kind in turn, so that a short run has them all.
      const kind = kinds[round % kinds.length] ?? '';
      const operation = operations[kind];
      const tally = counts[kind];
      if (operation === undefined || tally === undefined) throw new Error(kind);
      const where = `seed ${SEED}, round ${round}, ${kind}`;
      if (kind === 'prune') await dropVictim();
      await operation.prepare();
      const before = readStore(lab.dataRoot);
      if (!durationsMs.has(kind)) {
        // The first time of each kind tells how long it takes.
        const began = performance.now();
        expect([where, failureOf(await operation.run(round))]).toEqual([where, undefined]);
        durationsMs.set(kind, performance.now() - began);
        if (kind === 'prune') await dropVictim();
        await operation.prepare();
      }
      const running = operation.run(round + 10_000);
      await new Promise((resolve) => setTimeout(resolve, random() * 1.1 * (durationsMs.get(kind) ?? 0)));
      await lab.signalDaemon('SIGKILL');
      tally.rounds += 1;
      if ((await running).status === 0) tally.cut += 1;
      await lab.startDaemon();

      expect([where, ...storeFaults(lab.dataRoot, contents)]).toEqual([where]);
      const after = readStore(lab.dataRoot);
      for (const [name, id] of Object.entries(before.names)) {
        const free = operation.touches.some((touched) => name.endsWith(touched) || name.startsWith(`${touched.slice(0, touched.lastIndexOf(':'))}@`));
        if (!free) expect([where, name, after.names[name]]).toEqual([where, name, id]);
      }
      const listed = (JSON.parse(await good('GET', '/images/json?all=1')) as { Id: string }[]).map(({ Id }) => Id);
      expect([where, listed.toSorted()]).toEqual([where, [...after.images.keys()].toSorted()]);

      if (!operation.done() || kind === 'build') expect([where, failureOf(await operation.run(round))]).toEqual([where, undefined]);
      expect([where, operation.done()]).toEqual([where, true]);
      expect([where, ...storeFaults(lab.dataRoot, contents)]).toEqual([where]);
      if (kind === 'build') expect([where, builtFile('copied')]).toEqual([where, sha256(noise(300_000, `built ${builtRound}`))]);
    }
    await dropVictim();
    await good('POST', pruneAll);
    await good('POST', '/build/prune?all=1');
    const { layers: left, images } = readStore(lab.dataRoot);
    expect([left.size, images.size]).toEqual([1, 1]);
    const all = Object.values(counts);
    const cut = all.reduce((sum, tally) => sum + tally.cut, 0);
    if (ROUNDS > 100) process.stderr.write(`${ROUNDS} kills, seed ${SEED}, ${Math.round((Date.now() - start) / 1000)} s: ${kinds.map((kind) => `${kind} ${counts[kind]?.cut ?? 0} of ${counts[kind]?.rounds ?? 0} cut`).join(', ')}\n`);
    expect(cut).toBeGreaterThan(0);
  }, 120_000 + ROUNDS * 10_000);
});
