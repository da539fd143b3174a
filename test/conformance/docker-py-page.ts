import type { TestResult } from './junit.ts';

/** By test id: why it does not pass. */
export type Reasons = Readonly<Record<string, string>>;

/** docs/engine/conformance.md. */
export function conformancePage(results: readonly TestResult[], reasons: Reasons): string {
  const count = (list: readonly TestResult[], outcome: TestResult['outcome']): number => list.filter((result) => result.outcome === outcome).length;
  const files = [...new Set(results.map(({ file }) => file))];
  const rows = files.map((file) => {
    const own = results.filter((result) => result.file === file);
    return `| ${file} | ${count(own, 'passed')} | ${count(own, 'failed')} | ${count(own, 'skipped')} |`;
  });
  const list = (outcome: TestResult['outcome'], reason: (result: TestResult) => string): string[] =>
    results.filter((result) => result.outcome === outcome).map((result) => `- \`${result.id}\`: ${reason(result)}`);
  const executed = results.length - count(results, 'skipped');
  return [
    '# Conformance',
    '',
    '<!-- Written by test/conformance/docker-py.mjs; reasons are kept in test/conformance/docker-py-reasons.json. -->',
    '',
    "docker-py's own integration tests, without those of swarm mode (swarm, services, nodes, secrets, configs) and plugins, run against minke over its",
    'unix socket, and over TCP where they speak WebSocket. Their images (alpine, busybox, hello-world) are busybox under these names, since the tests need no more of them, and come',
    'from a registry on loopback that stands in for the hub.',
    '',
    `**${count(results, 'passed')} of ${executed} tests that ran passed**; ${count(results, 'skipped')} were skipped by the suite itself. Docker 26.1 passes 240 to 256, depending on whether it reaches the hub.`,
    '',
    '| file | passed | failed | skipped |',
    '|---|---|---|---|',
    ...rows,
    `| all | ${count(results, 'passed')} | ${count(results, 'failed')} | ${count(results, 'skipped')} |`,
    '',
    '## What fails, and why',
    '',
    ...list('failed', ({ id }) => reasons[id] ?? '**not explained yet**'),
    '',
    '## What the suite skips',
    '',
    ...list('skipped', ({ message }) => message),
    '',
    '## Again',
    '',
    '```sh',
    './osbuild engine --arch amd64',
    'OSBUILD_DOCKER_PY=<checkout of docker/docker-py> node test/conformance/docker-py.mjs',
    '```',
    '',
  ].join('\n');
}
