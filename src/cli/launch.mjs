// Set-up that must run before any dependency exists, hence plain JavaScript without imports from npm.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [home, ...argv] = process.argv.slice(2);

function fail(message, hint) {
  process.stderr.write(`osbuild: ${message}\n${hint ? `  hint: ${hint}\n` : ''}`);
  process.exit(2);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node.js ${process.versions.node} is too old`, 'osbuild needs Node.js 20.19 or newer');
}

/** Packages are installed from the lock file when this checkout has none, or others than the lock names. */
function installPackages() {
  const lockFile = join(home, 'package-lock.json');
  if (!existsSync(lockFile)) return; // an installed package: npm has put the dependencies beside it already
  const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  const stamp = join(home, 'node_modules', '.osbuild-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  process.stderr.write('osbuild: installing the pinned npm packages (once)\n');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: home, stdio: ['ignore', 2, 2] });
  if (npm.error || npm.status !== 0) fail('npm could not install the pinned packages', 'is npm installed, and its registry reachable? The lines above say more');
  writeFileSync(stamp, wanted);
}

/** Newest modification below a folder, in milliseconds; src/ has a few hundred files, which takes some 5 ms. */
function newest(folder) {
  let latest = statSync(folder).mtimeMs;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}

function writable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function bundle() {
  const out = join(home, 'dist', 'osbuild.mjs');
  // A package from npm brings its bundle along; who cannot write to its folder has not changed its sources either.
  if (existsSync(out) && (!writable(home) || statSync(out).mtimeMs > newest(join(home, 'src')))) return out;
  const esbuild = createRequire(join(home, 'package.json'))('esbuild');
  mkdirSync(join(home, 'dist'), { recursive: true });
  const fresh = `${out}.${process.pid}`;
  try {
    esbuild.buildSync({
      absWorkingDir: home,
      entryPoints: ['src/cli/main.ts'],
      outfile: fresh,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      sourcemap: 'inline',
      logLevel: 'error',
    });
    renameSync(fresh, out);
  } catch (error) {
    rmSync(fresh, { force: true });
    fail(`the command line does not compile: ${error.message}`);
  }
  return out;
}

installPackages();
const program = bundle();
process.setSourceMapsEnabled(true);
const { main } = await import(pathToFileURL(program).href);
await main(argv, home);
