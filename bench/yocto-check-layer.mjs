#!/usr/bin/env node
// Runs yocto-check-layer of openembedded-core on layers/meta-minke: does it parse, does "world" with it, does it leave the
// signatures of other layers' recipes alone under another distribution, are its recipes and its README as the Yocto Project asks.
//
//   node bench/yocto-check-layer.mjs --layers <folder> [--machine raspberrypi3-64] [--planned <file>]
//
// The folder holds checkouts as for bench/yocto.mjs. What is compared are, with --planned (lines that its --json has printed), all
// recipes that the machine's image is made of; without, those that the layer has append files for and some others, everything that
// they ask for being taken as there. The distribution is minke.conf by another name.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { parse } from 'yaml';

import { hostOnly, plannedMasks, sdkParts } from './yocto-masks.mjs';

const home = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({ options: { layers: { type: 'string' }, planned: { type: 'string' }, machine: { type: 'string', default: 'raspberrypi3-64' } } });
if (values.layers === undefined) {
  console.error('--layers: a folder with checkouts of bitbake and of the layers that build.config.yaml names');
  process.exit(2);
}
const plan = values.planned === undefined ? null : readFileSync(values.planned, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)).find(({ type, name }) => type === 'inspection' && name === values.machine);
if (plan === undefined) {
  console.error(`${values.planned} has no plan of ${values.machine}`);
  process.exit(2);
}

const { yocto } = parse(readFileSync(join(home, 'build.config.yaml'), 'utf8'));
const board = parse(readFileSync(join(home, 'machines', `${values.machine}.yaml`), 'utf8')).yocto;
const layers = ['openembedded-core', ...yocto.use.filter((name) => name !== 'openembedded-core'), ...(board.layers ?? [])].flatMap((name) => (yocto.layers[name].folders ?? ['.']).map((inside) => resolve(values.layers, name, inside)));
const exported = spawnSync(join(home, 'osbuild'), ['yocto', 'export-kas', '--json', '--machine', values.machine], { encoding: 'utf8' });
if (exported.status !== 0) {
  console.error(exported.stderr);
  process.exit(2);
}
const settings = Object.values(JSON.parse(exported.stdout).local_conf_header).join('\n');

/** Recipes of our layer (another distribution takes openembedded-core's of that name), and those that it has append files for: `busybox_%.bbappend`. */
const files = readdirSync(join(home, 'layers/meta-minke'), { recursive: true }).map((path) => basename(path));
const named = (ending) => files.filter((file) => file.endsWith(ending)).map((file) => file.slice(0, -ending.length).split('_')[0]);
const others = ['base-files', 'conmon', 'crun', 'libuv', 'mbedtls', 'modemmanager', 'networkmanager', 'nftables', 'openssl', 'polkit', 'systemd', 'u-boot', 'util-linux', 'zlib'];
const some = { recipes: Object.fromEntries([...named('.bbappend'), ...named('.bb'), ...others].map((name) => [name, ''])) };
const compared = plan ?? some;
const all = Object.keys(compared.recipes);
const provided = plan === null ? [`^(?!(${all.map((name) => name.replaceAll('.', '[.]')).join('|')})$)`] : sdkParts;

const build = mkdtempSync(join(tmpdir(), 'osbuild-check-layer-'));
const write = (path, text) => {
  mkdirSync(dirname(join(build, path)), { recursive: true });
  writeFileSync(join(build, path), text);
};
const line = (name, value) => `${name} = "${value.replaceAll('\\', '\\\\')}"\n`;
write('conf/distro/checked.conf', readFileSync(join(home, 'layers/meta-minke/conf/distro/minke.conf'), 'utf8').replace('DISTRO = "minke"', 'DISTRO = "checked"'));
// What is taken as there has no tasks that others could wait for.
write('classes/setscene-alone.bbclass', 'python () {\n    for task in d.getVar("__BBTASKS", False) or []:\n        if task.endswith("_setscene"):\n            d.delVarFlag(task, "depends")\n}\n');
write('conf/bblayers.conf', `BBPATH = "\${TOPDIR}"\nBBFILES ?= ""\nBBLAYERS = "${layers.join(' ')}"\n`);
write(
  'conf/local.conf',
  [
    `${settings}\n`,
    line('MACHINE', board.machine),
    line('DISTRO', 'checked'),
    line('TMPDIR', '${TOPDIR}/tmp'),
    line('BB_NO_NETWORK', '1'),
    line('CONNECTIVITY_CHECK_URIS', ''),
    line('BB_DANGLINGAPPENDS_WARNONLY', '1'),
    // Only signatures are made: of the engine's sources it is enough that they are there.
    line('MINKE_ENGINE_DIR', '${TOPDIR}/engine'),
    line('BBMASK', plannedMasks([compared], board.layers).join(' ')),
    line('ASSUME_PROVIDED:append', ` ${provided.join(' ')}`),
    ...(plan === null ? [line('INHERIT:append', ' setscene-alone')] : []),
    ...hostOnly([compared]).map((name) => line(`EXCLUDE_FROM_WORLD:pn-${name}`, '1')),
  ].join(''),
);
cpSync(join(home, 'src/host'), join(build, 'engine/host'), { recursive: true });
write('engine/bundle.js', '\n');
mkdirSync(join(build, 'home'));
// bitbake's client gives its server 30 s and 30 s more to answer, which no variable changes; on busy processors it takes longer. A server
// that has died is seen at once all the same: its pipe ends.
write('patience/sitecustomize.py', 'from multiprocessing.connection import Connection\n\n_poll = Connection.poll\nConnection.poll = lambda self, timeout=0.0: _poll(self, 900 if timeout in (30, 90) else timeout)\n');

const bitbake = resolve(values.layers, 'bitbake');
const core = resolve(values.layers, 'openembedded-core');
const uid = process.getuid() === 0 ? 1000 : process.getuid();
try {
  const run = spawnSync(
    'unshare',
    // As the provider runs bitbake: an ordinary user, and nothing of it outlives this.
    ['--user', `--map-user=${uid}`, `--map-group=${uid}`, '--pid', '--fork', '--kill-child', '--mount-proc', '--', join(core, 'scripts/yocto-check-layer'), '--no-auto', '--no-auto-dependency', join(home, 'layers/meta-minke'), '--dependency', ...layers],
    { cwd: build, stdio: 'inherit', env: { PATH: `${bitbake}/bin:${core}/scripts:${process.env.PATH}`, HOME: join(build, 'home'), BUILDDIR: build, BBPATH: build, PYTHONPATH: join(build, 'patience'), LANG: 'en_US.UTF-8', LC_ALL: 'en_US.UTF-8', BB_SERVER_TIMEOUT: '0' } },
  );
  if (run.error) console.error(run.error.message);
  if (run.status !== 0) console.error(`yocto-check-layer of ${basename(core)} ended with ${run.status ?? run.signal}`);
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(build, { recursive: true, force: true });
}
