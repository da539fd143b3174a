// Builds engine binaries while one works on them, without the task graph: needs root and a toolchain root made beforehand, whose path is in
// OSBUILD_TOOLCHAIN_ROOT (a Debian trixie tree with the packages of toolchain.ts). Compiles in a folder of its own below it, so that several may run at once.
//
//   node test/support/build-engine.mjs --arch amd64 --out DIR [--entry FILE.ts] [--sanitize] [--gc-stress]
//
// gives DIR/<arch>/minke, minke.debug and minke.js.map.
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const home = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

async function loadSteps() {
  const file = join(home, 'dist', `engine-binary.${process.pid}.mjs`);
  mkdirSync(dirname(file), { recursive: true });
  await build({ absWorkingDir: home, entryPoints: ['src/engine-binary/index.ts'], outfile: file, bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'error' });
  try {
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(file);
  }
}

/** Runs a step by chroot: copies the inputs in, and returns the outputs' places. */
function chrootRunner(root, work) {
  return async (step, texts) => {
    const folder = mkdtempSync(join(root, 'build-'));
    const inside = `/${relative(root, folder)}`;
    try {
      for (const input of step.inputs) {
        const to = join(folder, input.path);
        mkdirSync(dirname(to), { recursive: true });
        if ('folder' in input.from) cpSync(join(home, input.from.folder), to, { recursive: true });
        else writeFileSync(to, texts[input.from.text]);
      }
      for (const name of ['out', 'tmp']) mkdirSync(join(folder, name));
      const argv = step.argv.map((word) => word.replace(/(^|=)\/(in|out|tmp)(?=\/|$)/, `$1${inside}/$2`));
      const run = spawnSync('chroot', [root, ...argv], { stdio: ['ignore', 'inherit', 'pipe'], encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', SOURCE_DATE_EPOCH: '0' } });
      if (run.error) throw run.error;
      if (run.status !== 0) {
        process.stderr.write(run.stderr);
        throw new Error(`${argv.join(' ')} failed with ${run.status ?? run.signal}`);
      }
      return new Map(
        step.outputs.map((output) => {
          const to = join(work, step.architecture, output.slice('/out/'.length));
          mkdirSync(dirname(to), { recursive: true });
          rmSync(to, { force: true });
          copyFileSync(join(folder, output), to);
          return [output, to];
        }),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
}

const { values } = parseArgs({
  options: { arch: { type: 'string', default: 'amd64' }, out: { type: 'string' }, entry: { type: 'string' }, sanitize: { type: 'boolean' }, 'gc-stress': { type: 'boolean' } },
});
const root = process.env.OSBUILD_TOOLCHAIN_ROOT;
if (!root || !values.out) {
  process.stderr.write('usage: OSBUILD_TOOLCHAIN_ROOT=… node test/support/build-engine.mjs --arch <architecture|all> --out DIR\n');
  process.exit(2);
}
const steps = await loadSteps();
const architectures = values.arch === 'all' ? steps.engineArchitectures : [steps.engineArchitecture(values.arch)];
if (architectures.includes(undefined)) {
  process.stderr.write(`unknown architecture '${values.arch}': ${steps.engineArchitectures.join(', ')} or all\n`);
  process.exit(2);
}
const out = resolve(values.out);
const entry = values.entry === undefined ? undefined : relative(home, resolve(values.entry));
const built = await steps.buildEngine(home, architectures, { runStep: chrootRunner(root, out) }, {
  ...(entry === undefined ? {} : { entry }),
  sanitize: values.sanitize ?? false,
  gcStress: values['gc-stress'] ?? false,
});
for (const binary of built) {
  writeFileSync(join(out, binary.architecture, 'minke.js.map'), binary.bundle.map);
  process.stdout.write(`${binary.binaryPath}\n`);
}
