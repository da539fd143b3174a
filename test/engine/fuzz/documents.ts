import { mergeImage } from '../../../src/engine/containers/merge-image.ts';
import { parseCreateRequest } from '../../../src/engine/containers/parse-create.ts';
import { parseNetworkRequest } from '../../../src/engine/api/network-request.ts';
import { parseConfigFile, resolveSettings } from '../../../src/engine/daemon/options.ts';
import { describeDelta } from '../../../src/engine/delta/delta-image.ts';
import { EngineError } from '../../../src/engine/error.ts';
import { parseDockerManifest, readOciIndex } from '../../../src/engine/images/archive-manifest.ts';
import { parseImageConfig } from '../../../src/engine/images/image-config.ts';
import { planPorts } from '../../../src/engine/network/port-bindings.ts';
import { RELEASE_LABEL, readRelease } from '../../../src/engine/os/release.ts';
import { readCredentials } from '../../../src/engine/registry/credentials.ts';
import { parseManifest, readDescriptor } from '../../../src/engine/registry/manifest.ts';
import { parseReferrers } from '../../../src/engine/registry/referrers.ts';
import { RegistryError } from '../../../src/engine/registry/registry-error.ts';
import { parseSyncReport } from '../../../src/engine/runtime/conmon.ts';
import { parseProfile } from '../../../src/engine/seccomp/profile.ts';
import { DEFAULT_ROUNDS, must, ROUNDS, type Target } from './fuzz.ts';

const refused = (error: unknown): boolean => (error instanceof EngineError && error.kind !== 'internal') || error instanceof RegistryError;
const WORDS = ['null', 'true', '-1', '1e300', '""', '[]', '{}', '[null]', '{"a":null}', '"\\u0000"', '"x"', ',', ':', '"', '[', ']', '{', '}', '"__proto__":', '[['.repeat(500)];
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

/** Mutants of a JSON text are mostly no JSON: these are given what is left when a value is put in the place of another. */
export function put(document: unknown, at: number, value: unknown): unknown {
  let left = at;
  const walk = (node: unknown): unknown => {
    if (left-- === 0) return value;
    if (Array.isArray(node)) return node.map(walk);
    if (typeof node === 'object' && node !== null) return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, walk(item)]));
    return node;
  };
  return walk(document);
}

const VALUES: readonly unknown[] = [null, true, -1, 0, 1.5, 1e300, '', 'x', '\0', '../x', [], [null], [1], ['x'], [[]], {}, { a: null }, { a: 1 }, { a: {} }, '9'.repeat(40)];

/** Every value of the document replaced by every other one; in a short run, a part of them. */
function variants(document: unknown): string[] {
  const count = JSON.stringify(document).split(/[,:[{]/).length;
  const all = Array.from({ length: count }, (_, at) => at).flatMap((at) => VALUES.map((value) => JSON.stringify(put(document, at, value))));
  return [JSON.stringify(document), ...all.filter((_, at) => ROUNDS > DEFAULT_ROUNDS || at % 7 === 0)];
}

const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digest('a'), size: 10, urls: [], annotations: { a: 'b' } };
const manifest = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: { ...layer, mediaType: 'application/vnd.oci.image.config.v1+json' }, layers: [layer], artifactType: 'x', subject: layer, annotations: { a: 'b' } };
const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [{ ...layer, mediaType: 'application/vnd.oci.image.manifest.v1+json', platform: { os: 'linux', architecture: 'amd64', variant: 'v1', 'os.version': '1' } }] };
const config = {
  created: '2026-01-01T00:00:00Z', architecture: 'amd64', variant: '', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest('b')] }, history: [{ created: '2026-01-01T00:00:00Z', created_by: 'x', empty_layer: true, comment: 'c', author: 'd' }],
  config: { User: 'u', Env: ['A=b'], Cmd: ['a'], Entrypoint: ['b'], WorkingDir: '/', Labels: { 'dev.minke.delta': '2', 'dev.minke.delta.base': digest('c') }, ExposedPorts: { '80/tcp': {} }, Volumes: { '/v': {} }, StopSignal: 'TERM', Healthcheck: { Test: ['NONE'], Interval: 1 }, OnBuild: ['RUN x'], Shell: ['sh'], ArgsEscaped: true },
};
const create = { Image: 'x', Cmd: ['a'], Env: ['A=b'], Labels: { a: 'b' }, ExposedPorts: { '80/tcp': {} }, Volumes: { '/v': {} }, Healthcheck: { Test: ['CMD', 'x'], Interval: 1e9 }, HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '1.2.3.4', HostPort: '80-90' }] }, Mounts: [{ Type: 'bind', Source: '/a', Target: '/b', BindOptions: { Propagation: 'rslave' } }], RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 }, Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }], Devices: [{ PathOnHost: '/dev/x' }], DeviceCgroupRules: ['c 1:3 rwm'], LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } }, Tmpfs: { '/t': '' }, Links: ['a:b'], MemorySwappiness: 1 }, NetworkingConfig: { EndpointsConfig: { n: { Aliases: ['a'], IPAMConfig: { IPv4Address: '1.2.3.4', LinkLocalIPs: ['169.254.1.1'] }, Links: ['c:d'], DriverOpts: { a: 'b' } } } } };
const network = { Name: 'n', Driver: 'bridge', Options: { 'com.docker.network.driver.mtu': '1400' }, Labels: { a: 'b' }, EnableIPv6: true, IPAM: { Driver: 'default', Config: [{ Subnet: '10.0.0.0/8', Gateway: '10.0.0.1', IPRange: '10.1.0.0/16', AuxiliaryAddresses: { a: '10.0.0.2' } }, { Subnet: 'fd00::/64' }] } };
const profile = { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1, archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }], architectures: ['SCMP_ARCH_X86_64'], syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 1, valueTwo: 2, op: 'SCMP_CMP_EQ' }], includes: { caps: ['CAP_SYS_ADMIN'], minKernel: '4.8', arches: ['amd64'] }, excludes: { caps: [] }, errnoRet: 1 }] };
const daemon = { hosts: ['unix:///x'], 'data-root': '/y', dns: ['1.1.1.1'], mtu: 1400, 'live-restore': false, 'log-level': 'debug', 'insecure-registries': ['h:5000'], 'registry-mirrors': ['https://m'], bip: '10.0.0.1/24', labels: ['a=b'], 'shutdown-timeout': 3, tlsverify: true };
const release = { format: 1, machine: 'm', os: { name: 'n', id: 'i', version: '1' }, mode: 'm', commandLine: ['quiet'], loader: 'u-boot', slot: { argv: ['sh', '-c', 'x'], sha256: 'a'.repeat(64), sizeBytes: 5 }, layers: { root: 'b'.repeat(64), boot: 'c'.repeat(64) } };
const archive = [{ Config: 'c.json', RepoTags: ['a:b'], Layers: ['x/layer.tar'] }];

const parsed = (run: (value: unknown) => unknown) => (input: string): unknown => {
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch {
    // The route answers that by itself.
    return undefined;
  }
  return run(value);
};

function target(name: string, document: unknown, run: (input: string) => unknown): Target {
  return { name, corpus: variants(document), words: WORDS, refusal: refused, run };
}

/** Parsers of JSON documents, each given its document with every value replaced, and texts that are hardly JSON. */
export const DOCUMENTS: readonly Target[] = [
  target('manifests', manifest, parseManifest),
  target('indexes', index, parseManifest),
  target('descriptors', layer, parsed(readDescriptor)),
  target('referrers', index, parseReferrers),
  target('configurations of images', config, (input) => {
    const read = parseImageConfig(input);
    must(read.rootfs.diff_ids.every((id) => typeof id === 'string') && ['string', 'undefined'].includes(typeof (read.architecture ?? undefined)), 'a configuration of another shape');
    for (const [name, label] of Object.entries(read.config?.Labels ?? {})) must(typeof label === 'string', `the label ${name} is no text`);
    mergeImage({ ...parseCreateRequest({ Image: 'x' }).config }, read.config ?? {});
    describeDelta(read);
  }),
  target('manifests of archives', archive, parseDockerManifest),
  target('indexes of archives', index, (input) => readOciIndex(input, () => JSON.stringify(manifest), { architecture: 'amd64', variant: '' } as never)),
  target('manifests behind indexes of archives', manifest, (input) => readOciIndex(JSON.stringify(index), () => input, { architecture: 'amd64', variant: '' } as never)),
  target('requests for containers', create, parsed((value) => {
    const { hostConfig, config: made } = parseCreateRequest(value);
    planPorts(hostConfig.PortBindings, Object.keys(made.ExposedPorts ?? {}), true);
  })),
  target('requests for networks', network, parsed(parseNetworkRequest)),
  target('seccomp profiles', profile, parseProfile),
  target('daemon.json', daemon, (input) => resolveSettings(parseConfigFile(input, 'daemon.json'), new Map())),
  target('releases of the OS', release, (input) => readRelease({ [RELEASE_LABEL]: input })),
  target('credentials', { username: 'u', password: 'p', auth: 'eDp5', identitytoken: 't', registrytoken: 'r' }, parsed(readCredentials)),
  target('reports of conmon', { data: 5, pid: 7, message: 'x' }, parseSyncReport),
];
