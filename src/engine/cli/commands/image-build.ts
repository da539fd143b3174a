import { CliError } from '../cli-error.ts';
import { exactly, type Command, type CommandContext } from '../command.ts';
import { keyValueMap } from '../create/environment.ts';
import { parseUlimit } from '../create/create-request.ts';
import { base64, fromBase64, registryAuthHeader } from '../credentials.ts';
import { parseMemoryBytes } from '../flags/flag-kinds.ts';
import type { FlagSpec } from '../flags/flag-spec.ts';
import { showProgress } from '../output/progress.ts';
import { reasonOf } from '../ports.ts';

const SECRETS_LIMIT_BYTES = 16 * 1024;

const flags: readonly FlagSpec[] = [
  { name: 'add-host', kind: 'list', help: 'Add a line "host:ip" to /etc/hosts while RUN runs' },
  { name: 'build-arg', kind: 'list', help: 'Set an ARG (NAME=VALUE, or NAME to pass our variable on)' },
  { name: 'cache-from', kind: 'strings', help: 'Use the steps of these images alone again', complete: 'image' },
  { name: 'cgroup-parent', kind: 'string', help: 'Parent cgroup of the containers' },
  { name: 'compress', kind: 'bool', help: 'Compress the context', hidden: true },
  { name: 'cpu-period', kind: 'int', help: 'Period of the CPU limit in microseconds', default: '0' },
  { name: 'cpu-quota', kind: 'int', help: 'CPU time in each period in microseconds', default: '0' },
  { name: 'cpu-shares', short: 'c', kind: 'int', help: 'Relative share of CPU time', default: '0' },
  { name: 'cpuset-cpus', kind: 'string', help: 'CPUs to run on (0-3, 0,1)' },
  { name: 'cpuset-mems', kind: 'string', help: 'Memory nodes to use (0-3, 0,1)' },
  { name: 'disable-content-trust', kind: 'bool', help: 'Skip the check of signatures', default: 'true', hidden: true },
  { name: 'file', short: 'f', kind: 'string', help: 'Dockerfile; - for standard input', complete: 'file' },
  { name: 'force-rm', kind: 'bool', help: 'Remove the containers of steps that failed, too' },
  { name: 'iidfile', kind: 'string', help: 'Write the image ID to this file', complete: 'file' },
  { name: 'isolation', kind: 'string', help: 'Isolation technology', hidden: true },
  { name: 'label', kind: 'list', help: 'Set a label of the image' },
  { name: 'memory', short: 'm', kind: 'bytes', help: 'Memory limit', default: '0' },
  { name: 'memory-swap', kind: 'bytes', help: 'Limit of memory and swap together; -1 for no limit of swap', default: '0' },
  { name: 'network', kind: 'string', help: 'Network of RUN (default, none, host, a network, container:NAME)', complete: 'network' },
  { name: 'no-cache', kind: 'bool', help: 'Make every step anew' },
  { name: 'platform', kind: 'string', help: 'Platform (linux/arm/v7)' },
  { name: 'pull', kind: 'bool', help: 'Ask the registry for newer base images' },
  { name: 'quiet', short: 'q', kind: 'bool', help: 'Print the image ID alone' },
  { name: 'rm', kind: 'bool', help: "Remove the steps' containers", default: 'true' },
  { name: 'secret', kind: 'list', help: 'Give RUN --mount=type=secret a file or variable (id=NAME,src=FILE or id=NAME,env=VARIABLE)' },
  { name: 'security-opt', kind: 'strings', help: 'Security options of the containers' },
  { name: 'shm-size', kind: 'bytes', help: 'Size of /dev/shm', default: '0' },
  { name: 'squash', kind: 'bool', help: 'Make one layer of all that the build adds' },
  { name: 'ssh', kind: 'list', help: 'Give RUN --mount=type=ssh an agent (default, or ID=SOCKET), of the machine of the daemon' },
  { name: 'tag', short: 't', kind: 'list', help: 'Name of the image (NAME:TAG)' },
  { name: 'target', kind: 'string', help: 'Stage to build' },
  { name: 'ulimit', kind: 'ulimit', help: 'Set a ulimit (type=soft:hard)' },
  { name: 'volume', short: 'v', kind: 'list', help: 'Mount a folder or volume while RUN runs (SOURCE:PLACE[:ro]); it is no part of the image', complete: 'volume' },
];

export const buildCommand: Command = {
  path: ['image', 'build'], aliases: [['build']], usage: 'PATH | URL | -', summary: 'Build an image from a Dockerfile', common: true, args: exactly(1), completeArgs: 'file', flags,
  async run(context) {
    const { api, ports } = context;
    const given = context.flags;
    const quiet = given.bool('quiet');
    const { openBuildContext } = await import('../build/open-context.ts');
    const { body, remote, dockerfile } = await openBuildContext(context, context.args[0] ?? '');
    const bytes = (name: string): number | undefined => (given.string(name) === '-1' ? -1 : (parseMemoryBytes(given.string(name)) ?? 0)) || undefined;
    const environment = ports.process.environment();
    const buildArgs = Object.fromEntries(given.list('build-arg').flatMap((entry): [string, string][] => {
      const equals = entry.indexOf('=');
      if (equals >= 0) return [[entry.slice(0, equals), entry.slice(equals + 1)]];
      const own = environment[entry];
      return own === undefined ? [] : [[entry, own]];
    }));
    const cacheFrom = given.list('cache-from');
    const values = api.values('POST', '/build', {
      query: {
        t: given.list('tag'), dockerfile, remote, q: quiet || undefined, nocache: given.bool('no-cache') || undefined, rm: given.bool('rm'), forcerm: given.bool('force-rm') || undefined, pull: given.bool('pull') || undefined, squash: given.bool('squash') || undefined,
        target: given.string('target'), platform: given.string('platform'), networkmode: given.string('network'), extrahosts: given.list('add-host'), securityopt: given.list('security-opt'), cgroupparent: given.string('cgroup-parent'),
        cpuperiod: given.int('cpu-period') || undefined, cpuquota: given.int('cpu-quota') || undefined, cpushares: given.int('cpu-shares') || undefined, cpusetcpus: given.string('cpuset-cpus'), cpusetmems: given.string('cpuset-mems'),
        memory: bytes('memory'), memswap: bytes('memory-swap'), shmsize: bytes('shm-size'), ulimits: asJson(given.list('ulimit').map(parseUlimit)),
        buildargs: JSON.stringify(buildArgs), labels: JSON.stringify(keyValueMap(given.list('label'))), cachefrom: asJson(cacheFrom), volumes: asJson(given.list('volume')), ssh: agents(context, given.list('ssh')),
      },
      headers: { ...(await registryConfig(context)), ...secretsHeader(context, given.list('secret')) },
      ...(body === undefined ? {} : { body }), contentType: 'application/x-tar',
    });
    const extra = await showProgress(ports, values, ports.stdout, false);
    const id = extra.map((value) => (typeof value === 'object' && value !== null && 'ID' in value && typeof value.ID === 'string' ? value.ID : '')).findLast((value) => value !== '');
    if (id !== undefined && given.string('iidfile') !== '') ports.files.writeText(given.string('iidfile'), id, 0o644);
    return 0;
  },
};

function asJson(list: readonly unknown[]): string | undefined {
  return list.length === 0 ? undefined : JSON.stringify(list);
}

/** All logins that are kept; the daemon takes the ones that it needs. */
async function registryConfig(context: CommandContext): Promise<Record<string, string>> {
  const { config, ports } = context;
  const logins: Record<string, unknown> = {};
  for (const registry of new Set([...Object.keys(config.auths), ...Object.keys(config.credHelpers)])) {
    const host = registry.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
    const header = await registryAuthHeader(context, `${host === 'index.docker.io' ? 'docker.io' : host}/x/y`);
    const value = header['X-Registry-Auth'];
    if (value !== undefined) logins[registry] = JSON.parse(ports.codec.decode(fromBase64(value)));
  }
  return Object.keys(logins).length === 0 ? {} : { 'X-Registry-Config': base64(ports.codec.encode(JSON.stringify(logins)), 'url') };
}

/** In a header of minke's own: Docker's classic API has no place for them. */
function secretsHeader({ ports }: CommandContext, specs: readonly string[]): Record<string, string> {
  if (specs.length === 0) return {};
  const secrets = Object.fromEntries(specs.map((spec) => {
    const fields = keyValueMap(spec.split(','));
    const id = fields['id'] ?? '';
    const source = fields['src'] ?? fields['source'] ?? '';
    const variable = fields['env'] ?? (source === '' ? id : '');
    if (id === '') throw new CliError(`invalid secret ${JSON.stringify(spec)}: it needs an id (id=NAME,src=FILE)`);
    const text = source === '' ? ports.process.environment()[variable] : readSecret(ports.files.readText, source);
    if (text === undefined) throw new CliError(`secret ${id}: the variable ${variable} is not set`);
    return [id, base64(ports.codec.encode(text))];
  }));
  const header = base64(ports.codec.encode(JSON.stringify(secrets)), 'url');
  if (header.length > SECRETS_LIMIT_BYTES) throw new CliError(`the secrets are too large: ${header.length} bytes encoded, ${SECRETS_LIMIT_BYTES} are possible; mount a folder with -v instead`);
  return { 'X-Minke-Build-Secrets': header };
}

/** Sockets by id, as JSON; the daemon mounts them, so that they have to be on its machine. */
function agents({ config, ports }: CommandContext, specs: readonly string[]): string | undefined {
  if (specs.length === 0) return undefined;
  if (config.endpoint.kind !== 'unix') throw new CliError('--ssh works with a daemon on this machine alone: the API carries no agent');
  return JSON.stringify(Object.fromEntries(specs.map((spec) => {
    const equals = spec.indexOf('=');
    const [id, socket] = equals < 0 ? [spec, ports.process.environment()['SSH_AUTH_SOCK'] ?? ''] : [spec.slice(0, equals), spec.slice(equals + 1)];
    if (socket === '') throw new CliError(`invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set, or name one (--ssh ${id || 'default'}=SOCKET)`);
    const path = socket.startsWith('/') ? socket : `${ports.process.workingDirectory}/${socket}`;
    const kind = ports.files.stat(path)?.kind;
    if (kind !== 'other') throw new CliError(kind === undefined ? `could not find the ssh agent's socket ${socket}` : `${socket} is no socket of an ssh agent: keys are not read, load them into an agent with ssh-add`);
    return [id || 'default', path];
  })));
}

function readSecret(read: (path: string) => string, path: string): string {
  try {
    return read(path);
  } catch (error) {
    throw new CliError(`cannot read the secret ${path}: ${reasonOf(error)}`, 1, { cause: error });
  }
}
