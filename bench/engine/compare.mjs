// Holds engines against each other, all of them running at once and each asked in turn: memory, latency of runs and execs, parallel starts, streams, the API. Prints Markdown.
//
//   node bench/engine/compare.mjs --folder /var/tmp/peers [--minke out/engine/amd64/minke] [--engine minke --engine docker --engine podman] [--runs 11] [--containers 100] [--megabytes 64] [--part latency --part streams …]
//
// Needs root, busybox, curl and what the engines need. Everything happens in mount, network and process namespaces of its own.
import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { call, hijack, sizeOf } from './api.mjs';
import { enginesOf, IMAGE, removePlace, run, startEngine, timed } from './engines.mjs';
import { pssMb } from './memory.mjs';
import { enterNamespaces, makeRootfs } from './namespaces.mjs';

const { values } = parseArgs({
  options: {
    folder: { type: 'string' }, minke: { type: 'string', default: 'out/engine/amd64/minke' }, engine: { type: 'string', multiple: true, default: ['minke', 'docker', 'podman'] },
    runs: { type: 'string', default: '11' }, containers: { type: 'string', default: '100' }, megabytes: { type: 'string', default: '64' }, part: { type: 'string', multiple: true, default: ['memory', 'latency', 'starts', 'streams', 'api'] },
  },
});
if (!values.folder) throw new Error('--folder is needed');
enterNamespaces();
const [runs, containers, megabytes] = [values.runs, values.containers, values.megabytes].map(Number);
const place = join(resolve(values.folder), `compare-${process.pid}`);
const known = enginesOf(resolve(values.minke));
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const SLEEP = ['sleep', '86400'];
/** This program, the shell above it, and what runs in the containers: the same for every engine. */
const isOther = (pid, command) => pid === 1 || pid === process.pid || (command[0] === SLEEP[0] && command[1] === SLEEP[1]);

const wanted = (part) => values.part.includes(part);
const rows = [];
/** One row: what each engine took. */
function row(title, unit, results, digits = 0) {
  rows.push({ title: `${title}, ${unit}`, results, digits });
  process.stderr.write(`${title}: ${[...results].map(([name, value]) => `${name} ${value?.toFixed(digits) ?? 'failed'}`).join(', ')}\n`);
}

/** The medians of what `measure` gives, each engine asked in turn in every round. One that fails is left out, and says so. */
async function alternate(callers, rounds, measure) {
  const results = new Map(callers.map(({ title }) => [title, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const caller of callers) {
      try {
        results.get(caller.title)?.push(await measure(caller, round));
      } catch (error) {
        process.stderr.write(`${caller.title}: ${String(error).slice(0, 300)}\n`);
      }
    }
  }
  return new Map([...results].map(([title, list]) => [title, list.length === 0 ? undefined : median(list)]));
}

const engines = [];

async function latencies(callers) {
  for (const network of ['none', 'host', 'bridge']) {
    const latency = await alternate(callers, runs + 1, ({ argv, engine }) => timed([...argv, 'run', '--rm', ...engine.runOptions, '--network', network, IMAGE, 'true']));
    row(`\`run --rm true\`, network ${network}`, 'ms', latency);
  }
  for (const engine of engines) run([...engine.call, 'run', '-d', ...engine.runOptions, '--name', 'for-execs', '--network', 'none', IMAGE, ...SLEEP]);
  row('`exec true`', 'ms', await alternate(callers, runs, ({ argv }) => timed([...argv, 'exec', 'for-execs', 'true'])));
  for (const engine of engines) run([...engine.call, 'rm', '-f', 'for-execs']);
}

async function startsAtOnce(asked) {
  const memory = new Map();
  const starts = await alternate(asked, 1, async ({ engine }) => {
    const { socket } = engine;
    const before = pssMb(isOther);
    const ids = [];
    for (let index = 0; index < containers; index += 1) ids.push(JSON.parse(await call(socket, 'POST', '/containers/create', { Image: IMAGE, Cmd: SLEEP, StopSignal: 'SIGKILL' })).Id);
    const began = performance.now();
    await Promise.all(ids.map((id) => call(socket, 'POST', `/containers/${id}/start`)));
    const ms = performance.now() - began;
    await sleep(2000);
    memory.set(engine.name, (pssMb(isOther) - before) / containers);
    await Promise.all(ids.map((id) => call(socket, 'DELETE', `/containers/${id}?force=1`)));
    return ms;
  });
  row(`${containers} starts at once, bridge, over the API`, 'ms', starts);
  row(`a container more, of ${containers} (what runs in it left out)`, 'MB PSS', memory, 2);
}

async function streams(asked) {
  const write = ['sh', '-c', `yes ${'0123456789'.repeat(10)} | head -c ${megabytes * 1e6}`];
  const streamRounds = Math.ceil(runs / 3);
  row('logs of a container that has ended', 'MB/s', await alternate(asked, streamRounds, async ({ engine: { call: argv, runOptions, socket } }, round) => {
    run([...argv, 'run', '--network', 'none', '-d', ...runOptions, '--name', `logs-${round}`, IMAGE, ...write]);
    run([...argv, 'wait', `logs-${round}`]);
    const began = performance.now();
    const sizeBytes = await sizeOf(socket, `/containers/logs-${round}/logs?stdout=1&stderr=1`);
    const seconds = (performance.now() - began) / 1000;
    if (sizeBytes < megabytes * 1e6) throw new Error(`only ${sizeBytes} bytes of log`);
    run([...argv, 'rm', `logs-${round}`]);
    return megabytes / seconds;
  }));
  row('attach while the container writes, with a log', 'MB/s', await alternate(asked, streamRounds, async ({ engine: { call: argv, runOptions, socket } }, round) => {
    run([...argv, 'create', '--network', 'none', ...runOptions, '--name', `attach-${round}`, IMAGE, ...write]);
    const { ended } = await hijack(socket, `/containers/attach-${round}/attach?stream=1&stdout=1&stderr=1`);
    const began = performance.now();
    await call(socket, 'POST', `/containers/attach-${round}/start`);
    const sizeBytes = await ended;
    const seconds = (performance.now() - began) / 1000;
    if (sizeBytes < megabytes * 1e6) throw new Error(`only ${sizeBytes} bytes came`);
    run([...argv, 'wait', `attach-${round}`]);
    run([...argv, 'rm', `attach-${round}`]);
    return megabytes / seconds;
  }));
}

async function requests(asked) {
  for (const { call: argv, runOptions } of engines) for (let index = 0; index < 10; index += 1) run([...argv, 'create', ...runOptions, '--name', `there-${index}`, IMAGE, 'true']);
  for (const [title, path, count] of [['`GET /_ping`', '/_ping', 1000], ['`GET /containers/json`, ten of them', '/containers/json?all=1', 300], ['`GET /containers/…/json`', '/containers/there-1/json', 300]]) {
    row(title, 'a second', await alternate(asked, 3, async ({ engine: { socket } }) => {
      await call(socket, 'GET', path, undefined, true);
      const began = performance.now();
      for (let index = 0; index < count; index += 1) await call(socket, 'GET', path, undefined, true);
      return (count * 1000) / (performance.now() - began);
    }));
  }
}

mkdirSync(place, { recursive: true });
const loadBefore = loadavg();
try {
  const rootfs = makeRootfs(place);
  const sizes = new Map();
  const idle = new Map();
  for (const name of values.engine) {
    const own = known[name].own.map((program) => realpathSync(program.startsWith('/') ? program : run(['sh', '-c', `command -v ${program}`])));
    sizes.set(name, own.reduce((sum, path) => sum + statSync(path).size, 0) / 1e6);
    const before = pssMb(isOther);
    engines.push(await startEngine(name, known[name], join(place, name), rootfs));
    await sleep(3000);
    idle.set(name, pssMb(isOther) - before);
  }
  if (wanted('memory')) row('programs of its own', 'MB', sizes, 1);
  if (wanted('memory')) row('idle', 'MB PSS', idle, 1);

  const callers = engines.flatMap((engine) => [
    { title: engine.name, argv: engine.call, engine },
    ...Object.entries(known[engine.name].otherCalls ?? {}).map(([title, argv]) => ({ title, argv: argv(engine.folder), engine })),
  ]);
  const asked = engines.map((engine) => ({ title: engine.name, engine }));
  if (wanted('latency')) await latencies(callers);
  if (wanted('starts')) await startsAtOnce(asked);
  if (wanted('streams')) await streams(asked);
  if (wanted('api')) await requests(asked);

  const names = callers.map(({ title }) => title);
  const cell = (results, name, digits) => (results.has(name) ? (results.get(name)?.toFixed(digits) ?? 'failed') : '');
  const ratio = (results) => (results.get('minke') === undefined || results.get('docker') === undefined ? '' : (results.get('minke') / results.get('docker')).toFixed(2));
  console.log(`${cpus()[0].model}, ${cpus().length} cores; load ${loadBefore[0].toFixed(1)} before, ${loadavg()[0].toFixed(1)} after; medians of ${runs} runs\n`);
  console.log(`| | ${names.join(' | ')} | minke / docker |\n|---|${names.map(() => '---|').join('')}---|`);
  for (const { title, results, digits } of rows) console.log(`| ${title} | ${names.map((name) => cell(results, name, digits)).join(' | ')} | ${ratio(results)} |`);
} finally {
  for (const engine of engines) {
    try {
      run(['sh', '-c', `ids=$("$@" ps -aq); [ -z "$ids" ] || "$@" rm -f $ids >/dev/null`, 'sh', ...engine.call]);
    } catch (error) {
      process.stderr.write(`${engine.name}: ${String(error).slice(0, 300)}\n`);
    }
    await engine.stop();
  }
  removePlace(place);
}
