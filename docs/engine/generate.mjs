// Writes the reference pages of this folder from the engine's own tables.
import { build } from 'esbuild';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('../..', import.meta.url));
/** What the tables' handlers would do with the host is of no interest here. */
const noHost = { name: 'no-host', setup(plugin) {
  plugin.onResolve({ filter: /^host:/ }, ({ path }) => ({ path, namespace: 'host' }));
  plugin.onLoad({ filter: /.*/, namespace: 'host' }, () => ({ contents: 'module.exports = Object.create(new Proxy({}, { get: () => function () { return ""; } }))', loader: 'js' }));
} };
const contents = `
export { commandReference } from './src/engine/cli/reference.ts';
export { OPTIONS } from './src/engine/daemon/options.ts';
export { ROUTES } from './src/engine/api/routes.ts';
export { API_VERSION, ENGINE_VERSION } from './src/engine/version.ts';
`;
const { outputFiles } = await build({ stdin: { contents, resolveDir: home, loader: 'ts' }, bundle: true, write: false, format: 'esm', platform: 'neutral', logLevel: 'warning', plugins: [noHost] });
const code = outputFiles[0]?.text ?? '';
const { commandReference, OPTIONS, ROUTES, API_VERSION, ENGINE_VERSION } = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
const write = (name, lines) => writeFileSync(new URL(name, import.meta.url), [...lines, ''].join('\n'));

writeFileSync(new URL('cli.md', import.meta.url), commandReference());

const TYPES = { text: 'text', list: 'list of texts', flag: 'true or false', number: 'whole number' };
write('daemon-options.md', [
  '# Options of the daemon', '',
  '<!-- Generated from src/engine/daemon/options.ts by docs/engine/generate.mjs: change the table there, then run it. -->', '',
  `Of \`minke daemon\` ${ENGINE_VERSION}, and of \`daemon.json\` under the same names unless the third column says otherwise. [daemon.md](daemon.md) has their defaults and what they mean together.`, '',
  '| flag | takes | key in daemon.json | |', '|---|---|---|---|',
  ...OPTIONS.map(({ flag, short, key, kind, help }) => `| ${short === undefined ? '' : `\`-${short}\`, `}\`--${flag}\` | ${TYPES[kind]} | ${key === null ? 'none' : `\`${key ?? flag}\``} | ${cell(help)} |`),
]);

const described = ROUTES.map(([method, path]) => ({ method, path: path.replaceAll('*}', '}'), area: path.split('/')[1] ?? '' }));
const AREAS = { containers: 'Containers', exec: 'Exec', images: 'Images', volumes: 'Volumes', networks: 'Networks', build: 'Builds' };
const REFUSED = ['swarm', 'services', 'nodes', 'tasks', 'secrets', 'configs', 'plugins', 'session', 'grpc'];
const sections = new Map([...Object.values(AREAS), 'The engine itself'].map((title) => [title, []]));
for (const route of described) {
  if (!REFUSED.includes(route.area)) sections.get(AREAS[route.area] ?? 'The engine itself').push(`| \`${route.method}\` | \`${route.path}\` |`);
}
write('api.md', [
  '# The API', '',
  '<!-- Generated from src/engine/api/routes.ts by docs/engine/generate.mjs: change the table there, then run it. -->', '',
  `Requests and answers are those of Docker's API ${API_VERSION}, also as \`/v1.24\` … \`/v${API_VERSION}\` before the path. \`{name}\` may have slashes. Errors are \`{"message": …}\` with Docker's status.`, '',
  ...[...sections].flatMap(([title, rows]) => [`## ${title}`, '', '| method | path |', '|---|---|', ...rows, '']),
  '## Refused', '',
  `Below ${[...new Set(described.map(({ area }) => area))].filter((area) => REFUSED.includes(area)).map((area) => `\`/${area}\``).join(', ')} clients are told that this engine is no part of a swarm and has no plugins, with the status that Docker has for it.`,
]);
