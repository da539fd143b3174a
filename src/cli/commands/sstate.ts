import { hostname } from 'node:os';
import { join } from 'node:path';

import { nearest, type Project } from '../../config/index.ts';
import { OsbuildError } from '../../model/index.ts';
import { planSource, resolveSource, startTeamServers } from '../../providers/yocto/index.ts';
import { bytesText } from '../../report/index.ts';
import { Session } from '../build/session.ts';
import { yoctoPorts } from '../build/yocto.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';

const defaultPorts = { http: 8480, hash: 8686, pr: 8585 };

export const sstate: Command = {
  name: 'sstate',
  usage: 'serve',
  summary: 'Share what bitbake built with a team: shared state, hash equivalence, package revisions',
  details:
    '\nserve offers <cache>/yocto/sstate read-only over HTTP and runs bitbake\'s hash equivalence server and PR server, until Ctrl-C, and prints\n' +
    'what the others put into build.config.yaml. Whoever reaches the hash and PR server may tell them things: listen in a network of people\n' +
    'whom you trust, or give --read-only.',
  options: {
    bind: { type: 'string', value: 'address', help: 'address to listen on (default: 0.0.0.0, all of IPv4)' },
    name: { type: 'string', value: 'host', help: 'how others reach this host, for what is printed (default: its name)' },
    'http-port': { type: 'string', value: 'port', help: `port for shared state (default ${defaultPorts.http})` },
    'hash-port': { type: 'string', value: 'port', help: `port of the hash equivalence server (default ${defaultPorts.hash})` },
    'pr-port': { type: 'string', value: 'port', help: `port of the PR server (default ${defaultPorts.pr})` },
    upstream: { type: 'string', value: 'host:port', help: 'hash equivalence server that ours asks for what it does not know' },
    'read-only': { type: 'boolean', help: 'the hash equivalence server is only asked; nobody tells it anything' },
  },
  arguments: { min: 1, max: 1 },
  async run(invocation) {
    const { words, flags } = invocation;
    if (words[0] !== 'serve') throw new OsbuildError('OSB_USAGE', `osbuild sstate has no "${words[0]}"`, { hint: 'serve' });
    const ports = { http: port(invocation, 'http-port', defaultPorts.http), hash: port(invocation, 'hash-port', defaultPorts.hash), pr: port(invocation, 'pr-port', defaultPorts.pr) };
    if (new Set(Object.values(ports)).size < 3) throw new OsbuildError('OSB_USAGE', 'the three servers need three ports');
    const host = flags.text('bind') ?? '0.0.0.0';
    const upstream = flags.text('upstream');
    if (upstream !== undefined && !/^(wss?:\/\/)?[^\s/@]+:\d+$/.test(upstream)) throw new OsbuildError('OSB_USAGE', `--upstream "${upstream}" is no host:port`);
    const project = await openProject(invocation);
    return serve(invocation, await bitbakeFolder(invocation, project), { host, ports, ...(upstream === undefined ? {} : { upstream }) });
  },
};

function port({ flags }: Invocation, option: string, standard: number): number {
  const text = flags.text(option);
  if (text === undefined) return standard;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > 65_535) throw new OsbuildError('OSB_USAGE', `--${option} wants a port, 1 to 65535`);
  return number;
}

/** bitbake's source as the project names it, fetched like a layer where it is a repository. */
async function bitbakeFolder(invocation: Invocation, project: Project): Promise<string> {
  const bitbake = resolveSource(project.build, 'bitbake', project.folder, (word, known) => nearest(word, known));
  if ('path' in bitbake.source) return bitbake.source.path;
  const task = planSource(bitbake, bitbake.source, null);
  const session = new Session(invocation, project);
  const keyed = await session.key({ tasks: [task], targets: [task.id], epoch: project.build.epoch ?? 0 });
  await session.run(keyed, null);
  return invocation.layout.tree(keyed.keys.get(task.id)?.key ?? '');
}

async function serve(invocation: Invocation, bitbake: string, wish: { host: string; ports: typeof defaultPorts; upstream?: string }): Promise<number> {
  const { layout, home, hostEnvironment, signal, flags, out, err } = invocation;
  const servers = await startTeamServers({ ...wish, bitbake, home, folder: join(layout.root, 'yocto'), readOnly: flags.on('read-only'), uid: yoctoPorts(invocation).uid, hostEnvironment, log: (line) => err(`${line}\n`) });
  try {
    const name = flags.text('name') ?? (wish.host === '0.0.0.0' ? hostname() : wish.host);
    const { http, hash, pr } = wish.ports;
    const settings = { mirrors: [`http://${name}:${http}`], [flags.on('read-only') ? 'upstreamHashServer' : 'hashServer']: `${name}:${hash}`, prServer: `${name}:${pr}` };
    if (flags.on('json')) out(`${JSON.stringify({ type: 'serving', yocto: { sstate: settings } })}\n`);
    else out(`# serving ${layout.root}/yocto/sstate until Ctrl-C; for the others' build.config.yaml:\nyocto:\n  sstate:\n${Object.entries(settings).map(([key, value]) => `    ${key}: ${Array.isArray(value) ? `[${value.join(', ')}]` : value}\n`).join('')}`);
    const cancelled = new Promise<null>((resolve) => (signal.aborted ? resolve(null) : signal.addEventListener('abort', () => resolve(null), { once: true })));
    const failure = await Promise.race([servers.ended, cancelled]);
    if (failure !== null) throw failure;
  } finally {
    await servers.close();
  }
  const { files, bytes } = servers.http.sent();
  if (!flags.on('json')) err(`served ${files} files, ${bytesText(bytes)}\n`);
  return 0;
}
