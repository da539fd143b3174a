import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { labObstacle, openLab, type Lab } from '../engine/support/lab.ts';
import { provideImages, REGISTRY_PORT } from './docker-py-images.ts';
import { conformancePage, type Reasons } from './docker-py-page.ts';
import { parseJunit, type TestResult } from './junit.ts';

export interface DockerPyRequest {
  checkout: string;
  python: string;
  /** Of the project. */
  home: string;
  /** Files, or node ids, below tests/integration; empty for all. */
  selected: readonly string[];
}

/** Of what is out of the engine's scope as a whole. */
const OUT_OF_SCOPE = /(swarm|service|plugin|secret|config|nodes)/;
const TEST_TIMEOUT_S = 120;
/** docker-py knows WebSocket over TCP alone: what needs it is run there. */
const OVER_TCP = /_ws$/;
const TCP_ADDRESS = 'tcp://127.0.0.1:2375';

/** Returns the exit code: 0 when every failure is accounted for. */
export async function runDockerPy({ checkout, python, home, selected }: DockerPyRequest): Promise<number> {
  const obstacle = labObstacle() ?? (existsSync(join(checkout, 'tests/integration')) ? undefined : `${checkout} has no tests/integration`);
  if (obstacle !== undefined) {
    process.stdout.write(`skipped: ${obstacle}\n`);
    return 0;
  }
  const files = readdirSync(join(checkout, 'tests/integration')).filter((name) => name.endsWith('_test.py') && !OUT_OF_SCOPE.test(name)).toSorted();
  const reasons = JSON.parse(readFileSync(join(home, 'test/conformance/docker-py-reasons.json'), 'utf8')) as Reasons;
  const results: TestResult[] = [];
  const lab = await openLab();
  // Without it docker-py keeps contexts in the working directory.
  writeFileSync(join(lab.folder, 'config.json'), '{}');
  try {
    await lab.startDaemon('-H', TCP_ADDRESS, '--tls=false', '--registry-mirror', `http://127.0.0.1:${REGISTRY_PORT}`);
    const registry = await provideImages(lab);
    try {
      for (const file of selected.length > 0 ? selected : files) {
        const found: TestResult[] = [];
        for (const result of await runFile(lab, checkout, python, file)) found.push(...(OVER_TCP.test(result.id) ? await runFile(lab, checkout, python, result.id, [`DOCKER_HOST=${TCP_ADDRESS}`]) : [result]));
        results.push(...found);
        const failed = found.filter(({ outcome }) => outcome === 'failed');
        process.stdout.write(`${file}: ${found.filter(({ outcome }) => outcome === 'passed').length} passed, ${failed.length} failed, ${found.filter(({ outcome }) => outcome === 'skipped').length} skipped\n`);
        for (const { id, message } of failed) process.stdout.write(`  ${id}\n    ${message.replaceAll('\n', '\n    ')}\n`);
      }
    } finally {
      await registry.close();
    }
    if (process.env['OSBUILD_KEEP_LOG'] !== undefined) writeFileSync(process.env['OSBUILD_KEEP_LOG'], lab.daemonLog());
  } finally {
    await lab.close();
  }
  const unexplained = results.filter(({ id, outcome }) => outcome === 'failed' && reasons[id] === undefined);
  if (selected.length === 0) writeFileSync(join(home, 'docs/engine/conformance.md'), conformancePage(results, reasons));
  for (const { id } of unexplained) process.stdout.write(`without a reason: ${id}\n`);
  return unexplained.length === 0 && results.length > 0 ? 0 : 1;
}

/**
 * One file at a time: what hangs or crashes takes nothing else with it. The registry answers from this process
 * meanwhile. Sockets that the tests themselves forget to close are no failures of a daemon.
 */
async function runFile(lab: Lab, checkout: string, python: string, file: string, environment: readonly string[] = []): Promise<TestResult[]> {
  const report = join(lab.folder, 'junit.xml');
  const settings = [`PYTHONPATH=${checkout}`, 'PYTHONDONTWRITEBYTECODE=1', 'DOCKER_TEST_API_VERSION=1.45', ...environment];
  const command = ['-m', 'pytest', '-q', '--tb=short', '-p', 'no:cacheprovider', '-p', 'no:unraisableexception', '-p', 'no:threadexception', `--timeout=${TEST_TIMEOUT_S}`, `--junitxml=${report}`];
  const child = lab.spawn(['env', '-C', checkout, ...settings, python, ...command, `tests/integration/${file}`]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-20_000)));
  await new Promise((resolve) => child.once('close', resolve));
  if (!existsSync(report)) return [{ id: `${file}::(whole file)`, file, outcome: 'failed', message: output.slice(-2000), seconds: 0 }];
  const results = parseJunit(readFileSync(report, 'utf8'));
  writeFileSync(report, '');
  return results;
}
