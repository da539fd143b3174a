// The memory of an engine's daemon over many runs of a container: made, started, waited for, removed, every second one on the bridge. Prints Markdown.
//
//   node bench/engine/runs.mjs --folder /var/tmp/peers [--minke out/engine/amd64/minke] [--engine minke] [--runs 10000] [--at-once 4]
import { mkdirSync, readdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { call } from './api.mjs';
import { enginesOf, IMAGE, removePlace, startEngine } from './engines.mjs';
import { pssOf } from './memory.mjs';
import { enterNamespaces, makeRootfs } from './namespaces.mjs';

const { values } = parseArgs({
  options: { folder: { type: 'string' }, minke: { type: 'string', default: 'out/engine/amd64/minke' }, engine: { type: 'string', default: 'minke' }, runs: { type: 'string', default: '10000' }, 'at-once': { type: 'string', default: '4' } },
});
if (!values.folder) throw new Error('--folder is needed');
enterNamespaces();
const [runs, atOnce] = [Number(values.runs), Number(values['at-once'])];
const STEPS = 10;
const place = join(resolve(values.folder), `runs-${process.pid}`);
mkdirSync(place, { recursive: true });

async function oneRun(socket, index) {
  const { Id } = JSON.parse(await call(socket, 'POST', '/containers/create', { Image: IMAGE, Cmd: ['true'], HostConfig: { NetworkMode: index % 2 === 0 ? 'bridge' : 'none' } }));
  await call(socket, 'POST', `/containers/${Id}/start`);
  const { StatusCode } = JSON.parse(await call(socket, 'POST', `/containers/${Id}/wait`));
  if (StatusCode !== 0) throw new Error(`a run ended with ${StatusCode}`);
  await call(socket, 'DELETE', `/containers/${Id}?force=1`);
}

let engine;
try {
  engine = await startEngine(values.engine, enginesOf(resolve(values.minke))[values.engine], join(place, values.engine), makeRootfs(place));
  console.log(`${cpus()[0].model}, ${cpus().length} cores; ${values.engine}, ${runs} runs, ${atOnce} at once\n\n| runs | PSS, MB | descriptors | a run, ms | load |\n|---|---|---|---|---|`);
  let done = 0;
  for (let step = 0; step <= STEPS; step += 1) {
    const wanted = Math.round((runs * step) / STEPS);
    const began = performance.now();
    const before = done;
    await Promise.all(Array.from({ length: atOnce }, async () => {
      while (done < wanted) await oneRun(engine.socket, done++);
    }));
    const ms = done === before ? 0 : (performance.now() - began) / (done - before);
    await sleep(2000);
    console.log(`| ${done} | ${pssOf(engine.pid).toFixed(2)} | ${readdirSync(`/proc/${engine.pid}/fd`).length} | ${step === 0 ? '' : ms.toFixed(0)} | ${loadavg()[0].toFixed(1)} |`);
  }
} finally {
  await engine?.stop();
  removePlace(place);
}
