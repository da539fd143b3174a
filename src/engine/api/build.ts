import { fromBase64, text } from 'host:bytes';
import { CommandFailed, createBuildOutput, type BuildRequest } from '../build/index.ts';
import { EngineError } from '../error.ts';
import { parsePlatform, parseReference, withDefaultTag } from '../images/index.ts';
import { NO_CREDENTIALS, type Credentials } from '../registry/index.ts';
import type { ApiContext } from './context.ts';
import { integer, parseFilters, sendJson, type ApiRequest } from './request.ts';
import { errorAnswer } from './status.ts';

/** POST /build: the body is the context. What fails before anything was said has a status, later an error in the stream. */
export async function build({ builder }: ApiContext, request: ApiRequest): Promise<void> {
  const { query, exchange } = request;
  const wanted = parseBuildRequest(request);
  const quiet = query.flag('q');
  const output = createBuildOutput(() => exchange.stream(200, { 'Content-Type': 'application/json' }), quiet);
  try {
    const id = await builder.build(wanted, exchange.body, output, exchange.gone, () => exchange.watchClient());
    if (quiet) await output.quietResult(id);
  } catch (error) {
    if (!output.started && !exchange.gone.cancelled) throw error;
    const { message } = errorAnswer(error);
    await output.fail(message, error instanceof CommandFailed ? error.exitCode : undefined);
  }
  await output.end();
}

export async function pruneBuilds({ builder }: ApiContext, request: ApiRequest): Promise<void> {
  parseFilters(request, ['until', 'id', 'parent', 'type', 'description', 'inuse', 'shared', 'private', 'unused-for']);
  const { deleted, reclaimedBytes } = await builder.prune(request.query.flag('all'));
  await sendJson(request, 200, { CachesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimedBytes });
}

function parseBuildRequest(request: ApiRequest): BuildRequest {
  const { query, exchange } = request;
  if (query.get('version') === '2') throw new EngineError('not-implemented', 'BUILDKIT', 'this engine has no BuildKit', { hint: 'set DOCKER_BUILDKIT=0, or use minke build' });
  const platform = query.get('platform') ?? '';
  const args = jsonMap(request, 'buildargs');
  const cacheFrom = jsonList(request, 'cachefrom');
  const ulimits = json(request, 'ulimits');
  const number = (name: string): number => integer(request, name) ?? 0;
  const networkMode = query.get('networkmode') ?? '';
  return {
    dockerfile: query.get('dockerfile') || 'Dockerfile',
    remote: query.get('remote') ?? '',
    tags: [...new Set(query.all('t').filter((name) => name !== ''))].map((name) => {
      const reference = withDefaultTag(parseReference(name));
      if (reference.digest !== undefined) throw invalid('build tag cannot contain a digest');
      return reference;
    }),
    buildArgs: new Map(Object.entries(args).flatMap(([name, value]): [string, string][] => (value === null ? [] : [[name, value]]))),
    labels: Object.fromEntries(Object.entries(jsonMap(request, 'labels')).map(([name, value]) => [name, value ?? ''])),
    target: query.get('target') ?? '',
    platform: platform === '' ? undefined : parsePlatform(platform),
    noCache: query.flag('nocache'),
    pull: query.flag('pull'),
    squash: query.flag('squash'),
    remove: query.flag('rm', true),
    forceRemove: query.flag('forcerm'),
    cacheFrom: cacheFrom.length === 0 ? undefined : cacheFrom,
    hostConfig: {
      Memory: number('memory'), MemorySwap: number('memswap'), CpuShares: number('cpushares'), CpuQuota: number('cpuquota'), CpuPeriod: number('cpuperiod'), CpusetCpus: query.get('cpusetcpus') ?? '',
      CpusetMems: query.get('cpusetmems') ?? '', CgroupParent: query.get('cgroupparent') ?? '', ShmSize: number('shmsize'), Ulimits: Array.isArray(ulimits) ? ulimits : null,
      ExtraHosts: extraHosts(query.all('extrahosts')), SecurityOpt: query.all('securityopt'), ...(networkMode === '' ? {} : { NetworkMode: networkMode }),
    },
    binds: jsonList(request, 'volumes'),
    secrets: parseSecrets(exchange.head.headers.get('x-minke-build-secrets')),
    agents: new Map(Object.entries(jsonMap(request, 'ssh')).flatMap(([id, path]): [string, string][] => (path?.startsWith('/') === true ? [[id, path]] : []))),
    credentials: credentialsOf(exchange.head.headers.get('x-registry-config')),
  };
}

/** The CLI writes `name:address`; a list in one value is separated by commas. */
function extraHosts(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',')).filter((value) => value !== '').map((value) => value.replace('=', ':'));
}

function json(request: ApiRequest, name: string): unknown {
  const value = request.query.get(name);
  if (value === undefined || value === '') return undefined;
  try {
    return JSON.parse(value);
  } catch {
    throw invalid(`invalid value for ${name}: it is not JSON`);
  }
}

function jsonList(request: ApiRequest, name: string): string[] {
  const value = json(request, name) ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw invalid(`invalid value for ${name}: it is not a list of strings`);
  return value;
}

function jsonMap(request: ApiRequest, name: string): Record<string, string | null> {
  const value = json(request, name) ?? {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`invalid value for ${name}: it is not an object`);
  if (!Object.values(value).every((item) => typeof item === 'string' || item === null)) throw invalid(`invalid value for ${name}: it is not an object of strings`);
  return value as Record<string, string | null>;
}

/** Base64 of JSON: id → base64 of the secret. */
function parseSecrets(header: string | undefined): Map<string, Uint8Array> {
  const entries = Object.entries(decoded(header, 'X-Minke-Build-Secrets'));
  return new Map(entries.flatMap(([id, value]): [string, Uint8Array][] => (typeof value === 'string' ? [[id, fromBase64(value)]] : [])));
}

/** X-Registry-Config: logins by address of the registry, as `docker login` keeps them. */
function credentialsOf(header: string | undefined): (domain: string) => Credentials {
  const logins = decoded(header, 'X-Registry-Config');
  return (domain) => {
    const hosts = domain === 'docker.io' ? ['index.docker.io', 'docker.io', 'registry-1.docker.io'] : [domain];
    const found = Object.entries(logins).find(([address]) => hosts.includes(address.replace(/^https?:\/\//, '').replace(/\/.*$/, '')))?.[1];
    if (typeof found !== 'object' || found === null) return NO_CREDENTIALS;
    const field = (name: string): string => {
      const value = (found as Record<string, unknown>)[name];
      return typeof value === 'string' ? value : '';
    };
    const [user = '', password = ''] = field('auth') === '' ? [] : splitOnce(text(fromBase64(field('auth'))));
    return { ...NO_CREDENTIALS, username: field('username') || user, password: field('password') || password, identityToken: field('identitytoken'), registryToken: field('registrytoken') };
  };
}

function splitOnce(login: string): [string, string] {
  const colon = login.indexOf(':');
  return colon < 0 ? [login, ''] : [login.slice(0, colon), login.slice(colon + 1)];
}

function decoded(header: string | undefined, name: string): Record<string, unknown> {
  if (header === undefined || header === '') return {};
  try {
    const value: unknown = JSON.parse(text(fromBase64(header)));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    throw invalid(`invalid ${name} header: it is not base64 of JSON`);
  }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'BUILD_INVALID', message);
}
