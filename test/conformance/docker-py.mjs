#!/usr/bin/env node
// Runs docker-py's integration tests against a minke daemon of its own and writes docs/engine/conformance.md.
//
//   OSBUILD_DOCKER_PY=<checkout of docker/docker-py> node test/conformance/docker-py.mjs [test file ...]
//
// OSBUILD_ENGINE_BINARY names the engine (default: out/engine/amd64/minke), OSBUILD_PYTHON the interpreter (default:
// /usr/bin/python3; Debian: python3-pytest python3-pytest-timeout python3-requests python3-paramiko python3-websocket). With test files as
// arguments ('api_exec_test.py', 'api_exec_test.py::ExecTest::test_execute_command') only those run, and nothing is written.
import { build } from 'esbuild';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('../..', import.meta.url));
const checkout = process.env.OSBUILD_DOCKER_PY;
if (checkout === undefined || checkout === '') {
  process.stdout.write('skipped: OSBUILD_DOCKER_PY does not name a checkout of docker-py\n');
} else {
  process.env.OSBUILD_ENGINE_BINARY ??= `${home}out/engine/amd64/minke`;
  const bundle = fileURLToPath(new URL(`../../node_modules/.docker-py-${process.pid}.mjs`, import.meta.url));
  try {
    await build({ entryPoints: [fileURLToPath(new URL('docker-py-run.ts', import.meta.url))], bundle: true, outfile: bundle, format: 'esm', platform: 'node', logLevel: 'warning' });
    const { runDockerPy } = await import(bundle);
    process.exitCode = await runDockerPy({ checkout, python: process.env.OSBUILD_PYTHON ?? '/usr/bin/python3', home, selected: process.argv.slice(2) });
  } finally {
    rmSync(bundle, { force: true });
  }
}
