// `npm test`: installs what is missing, builds what the integration and boot tests examine, and runs every test.
// Extra words go to vitest: `npm test -- test/graph` runs a part without building anything.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = join(dirname(fileURLToPath(import.meta.url)), '..');
const selected = process.argv.slice(2);

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: home, stdio: ['ignore', 'inherit', 'inherit'], ...options });
}

/** A command of ours whose output is a result; what goes wrong is shown and left to the tests that need it. */
function osbuild(...args) {
  process.stderr.write(`test set-up: osbuild ${args.join(' ')}\n`);
  const result = run(join(home, 'osbuild'), args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
  if (result.status !== 0) process.stderr.write(`test set-up: osbuild ${args.join(' ')} failed: the tests that need it will fail\n`);
  return result.status === 0 ? result.stdout.trim() : null;
}

if (run(join(home, 'osbuild'), ['--version'], { stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) process.exit(1);

const env = { ...process.env };
if (selected.length === 0) {
  env.OSBUILD_TOOLCHAIN_ROOT ??= osbuild('tools', 'toolchain') ?? '/nonexistent';
  env.OSBUILD_TEST_TOOLS_TREE ??= osbuild('tools', 'tools-image') ?? '/nonexistent';
  env.OSBUILD_TEST_PRELOAD_TREE ??= osbuild('tools', 'tools-preload') ?? '/nonexistent';
  env.OSBUILD_TEST_APPLICATIONS ??= osbuild('tools', 'test-applications') ?? '/nonexistent';
  env.OSBUILD_TEST_EMULATION_TREE ??= osbuild('tools', 'tools-emulation') ?? '/nonexistent';
  if (osbuild('engine', '--arch', 'all') !== null) env.OSBUILD_ENGINE_FOLDER ??= join(home, 'out', 'engine');
  // The same binaries again, from the cache, and the archive of one of them.
  osbuild('engine', '--arch', 'amd64', '--tarball');
  env.OSBUILD_ENGINE_BINARY ??= join(home, 'out', 'engine', 'amd64', 'minke');
  env.OSBUILD_TEST_IMAGES ??= '1';
}
const vitest = join(home, 'node_modules', 'vitest', JSON.parse(readFileSync(join(home, 'node_modules/vitest/package.json'), 'utf8')).bin.vitest);
const tests = run('node', [vitest, 'run', '--config', 'test/vitest.config.ts', ...selected], { env });
process.exitCode = tests.status ?? 1;
