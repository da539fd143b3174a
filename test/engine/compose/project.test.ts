import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';

import { readEnvFile } from '../../../src/engine/compose/env-file.ts';
import { splitLine } from '../../../src/engine/compose/field.ts';
import { interpolate } from '../../../src/engine/compose/interpolate.ts';
import type { Project } from '../../../src/engine/compose/project.ts';
import { ComposeError, readProject, type ReadProject } from '../../../src/engine/compose/read-project.ts';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

function read(text: string, files: Record<string, string> = {}): ReadProject {
  const readText = (path: string): string | undefined => files[path.replace('/p/apps/', '')];
  return readProject(text, { file: '/p/apps/compose.yaml', folder: '/p/apps', contents: '/contents', readText, hash, hashFile: (path) => (readText(path) === undefined ? undefined : hash(readText(path) ?? '')) });
}

function problems(text: string, files: Record<string, string> = {}): readonly string[] {
  try {
    read(text, files);
    return [];
  } catch (error) {
    if (error instanceof ComposeError) return error.problems;
    throw error;
  }
}

const only = (body: string, more = '', files: Record<string, string> = {}): Project['services'][number] => {
  const [service] = read(`services:\n  web:\n    image: x\n${body.split('\n').map((line) => `    ${line}\n`).join('')}${more}`, files).project.services;
  if (service === undefined) throw new Error('no service');
  return service;
};

describe('variables', () => {
  const lookup = (name: string): string | undefined => ({ A: 'a', EMPTY: '', B: 'b' })[name];
  test.each([
    ['$A', 'a'], ['${A}x', 'ax'], ['$$A', '$A'], ['${NONE:-d}', 'd'], ['${EMPTY:-d}', 'd'], ['${EMPTY-d}', ''], ['${NONE-d}', 'd'], ['${A:+r}', 'r'], ['${EMPTY:+r}', ''], ['${EMPTY+r}', 'r'], ['${NONE:-${A}}', 'a'], ['${NONE:-${NONE:-$B}}-$A', 'b-a'], ['$NONE', ''], ['100%', '100%'],
  ])('%s', (text, value) => expect(interpolate(text, lookup, () => undefined)).toBe(value));

  test.each([['${NONE:?say it}', 'the variable NONE is required: say it'], ['${A', '${A is not closed'], ['$1', '$ at "$1" begins no variable'], ['${A!}', '${A!} is no form of a variable']])('%s is refused', (text, error) => {
    expect(() => interpolate(text, lookup, () => undefined)).toThrow(error);
  });

  test('files of them', () => {
    const text = "# c\nA=1\nexport B = two words # c\nC='$A \\n'\nD=\"$A\\n\\$A\"\nE=${A}x${NONE:-y}\nF\nG=\nH='a\nb'\nI=a#b\n";
    expect(Object.fromEntries(readEnvFile(text, () => undefined))).toEqual({ A: '1', B: 'two words', C: '$A \\n', D: '1\n$A', E: '1xy', F: null, G: '', H: 'a\nb', I: 'a#b' });
    expect(Object.fromEntries(readEnvFile("A='x' # y\n", () => undefined, true))).toEqual({ A: "'x' # y" });
    expect(() => readEnvFile('A=1\nno value here\n', () => undefined)).toThrow('line 2: not NAME=VALUE');
  });
});

test('lines become words', () => {
  expect(splitLine(`sh -c "echo \\"a b\\" 'c'" 'd "e' f\\ g ""`)).toEqual(['sh', '-c', `echo "a b" 'c'`, 'd "e', 'f g', '']);
  expect(() => splitLine('a "b')).toThrow('not closed');
});

describe('a service', () => {
  test('becomes a request', () => {
    const { draft } = only(`command: [a, b]
entrypoint: /bin/x --y
environment: [A=1, B]
env_file: [one.env, {path: two.env, required: false}]
ports: ["80", "127.0.0.1:8080:80/udp", {target: 90, published: "91", host_ip: "::1"}]
volumes: [rows:/rows:ro, ./data:/data, /anon, {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 1777}}, {type: volume, source: rows, target: /r, volume: {nocopy: true}}]
healthcheck: {test: curl x, interval: 1m30s, retries: 3}
restart: on-failure:3
cap_add: [net_admin]
devices: [/dev/a:/dev/b:r]
ulimits: {nofile: 10, nproc: {soft: 1, hard: 2}}
stop_grace_period: 1m
cpus: 0.5
mem_limit: 64m
extra_hosts: ["a:1.2.3.4", "b=::1"]
sysctls: {net.x: 1}
tmpfs: /run:size=1m
dns: 1.1.1.1
labels: [a=b, c]
logging: {driver: local, options: {max-size: 1m}}
shm_size: 1gb`, 'volumes: {rows: }\n', { '.env': 'B=2\n', 'one.env': 'C=3\nA=0\n' });
    expect(draft.config).toMatchObject({
      Cmd: ['a', 'b'], Entrypoint: ['/bin/x', '--y'], Env: ['A=1', 'B=2', 'C=3'], StopTimeout: 60, Labels: { a: 'b', c: '' }, Volumes: { '/anon': {} },
      ExposedPorts: { '80/tcp': {}, '80/udp': {}, '90/tcp': {} }, Healthcheck: { Test: ['CMD-SHELL', 'curl x'], Interval: 90e9, Retries: 3 },
    });
    expect(draft.host).toMatchObject({
      Binds: ['apps_rows:/rows:ro', '/p/apps/data:/data'], PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '' }], '80/udp': [{ HostIp: '127.0.0.1', HostPort: '8080' }], '90/tcp': [{ HostIp: '::1', HostPort: '91' }] },
      Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1048576, Mode: 0o1777 } }, { Type: 'volume', Source: 'apps_rows', Target: '/r', VolumeOptions: { NoCopy: true } }], RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      CapAdd: ['CAP_NET_ADMIN'], Devices: [{ PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'r' }], Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 10 }, { Name: 'nproc', Soft: 1, Hard: 2 }], NanoCpus: 5e8, Memory: 67108864,
      ExtraHosts: ['a:1.2.3.4', 'b:::1'], Sysctls: { 'net.x': '1' }, Tmpfs: { '/run': 'size=1m' }, Dns: ['1.1.1.1'], LogConfig: { Type: 'local', Config: { 'max-size': '1m' } }, ShmSize: 1024 ** 3,
    });
  });

  test('takes part in networks, or in what another one has', () => {
    const { project } = read('services:\n  a: {image: x, networks: {back: {aliases: [z], ipv4_address: 10.9.0.5, priority: 5}, default: }}\n  b: {image: x, network_mode: "service:a", links: ["a:old"]}\n  c: {image: x, network_mode: host}\nnetworks: {back: {internal: true, ipam: {config: [{subnet: 10.9.0.0/24}]}}, unused: }\n');
    const [a, b, c] = project.services;
    expect(a).toMatchObject({ networkMode: 'apps_back', networks: { apps_back: { Aliases: ['z'], IPAMConfig: { IPv4Address: '10.9.0.5' } }, apps_default: { Aliases: [] } } });
    expect(b).toMatchObject({ networks: null, shares: { network: 'a' }, links: [['a', 'old']], dependsOn: [{ service: 'a', condition: 'service_started' }] });
    expect(c).toMatchObject({ networkMode: 'host', networks: null });
    expect(project.networks.map(({ name }) => name)).toEqual(['apps_back', 'apps_default']);
  });

  test('is another one only when something of it changes, in whatever order it is written', () => {
    const first = only('environment: {A: 1, B: 2}\nuser: x').hash;
    expect(only('user: x\nenvironment: [B=2, A=1]').hash).toBe(first);
    expect(only('user: x\nenvironment: [B=2, A=1]\npull_policy: always\nscale: 3').hash).toBe(first);
    expect(only('user: y\nenvironment: [B=2, A=1]').hash).not.toBe(first);
    const secret = 'secrets: {s: {file: ./s}}\n';
    expect(only('secrets: [s]', secret, { s: '1' }).hash).not.toBe(only('secrets: [s]', secret, { s: '2' }).hash);
  });

  test('of a profile is there when it is asked for', () => {
    const text = 'services: {a: {image: x}, b: {image: x, profiles: [p]}}\n';
    expect(read(text).project.services.map(({ name }) => name)).toEqual(['a']);
    expect(read(text, { '.env': 'COMPOSE_PROFILES=q,p\n' }).project.services.map(({ name }) => name)).toEqual(['a', 'b']);
  });
});

test('anchors, merges and extensions are as Compose has them', () => {
  const { project } = read('x-all: &all {image: x, restart: always}\nservices:\n  a: {<<: *all, user: me}\n  b:\n    <<: [*all]\n    restart: "no"\n');
  expect(project.services.map(({ name, restart, draft }) => [name, restart.Name, draft.config['User']])).toEqual([['a', 'always', 'me'], ['b', 'no', undefined]]);
});

test('contents of the file itself become files', () => {
  const { project } = read('services: {a: {image: x, configs: [{source: c, target: /etc/c}]}}\nconfigs: {c: {content: "x=${V}"}}\n', { '.env': 'V=1\n' });
  expect(Object.values(project.contents)).toEqual(['x=1']);
  expect(project.services[0]?.draft.host['Mounts']).toEqual([{ Type: 'bind', Source: Object.keys(project.contents)[0], Target: '/etc/c', ReadOnly: true }]);
});

test.each([
  ['services:\n  a:\n    image: x\n    comand: y\n', ['line 4: services.a.comand: there is no such key of a service']],
  ['services:\n  a:\n    build: .\n', ['line 3: services.a.build: names no image: images are not built here, but pulled']],
  ['services:\n  a: {image: x, depends_on: [b]}\n', ['line 2: services.a.depends_on[0]: there is no service b']],
  ['services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, links: [a]}\n', ['line 2: services.a: services wait for each other: a, b']],
  ['services:\n  a:\n    image: x\n    volumes: ["v:/v"]\n', ['line 4: services.a.volumes[0]: there is no volume v among the volumes of the file']],
  ['services:\n  a:\n    image: x\n    networks: [n]\n', ['line 4: services.a.networks: there is no network n among the networks of the file']],
  ['services:\n  a:\n    image: x\n    ports: ["99999:1"]\n    mem_limit: lots\n', ['line 4: services.a.ports: invalid hostPort: 99999', 'line 5: services.a.mem_limit: "lots" is no size (64m, 1g, or bytes)']],
  ['services: {a: {image: "${I:?name it}"}}\n', ['line 1: services.a.image: the variable I is required: name it']],
  ['include: [x]\nservices: {}\n', ['line 1: include: not supported: put all services into this file']],
  ['services: {a: {image: x, network_mode: host, networks: [default]}}\n', ['line 1: services.a.network_mode: and networks exclude each other']],
  ['services: {a: {image: x, deploy: {mode: global}}}\n', ['line 1: services.a.deploy.mode: belongs to swarm mode']],
  ['services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {external: true}}\n', ['line 1: services.a.secrets[0]: there is no secret s in the file', 'line 2: secrets.s.external: those of swarm mode are not there: use file']],
  ['services: {a: {image: x, extends: {service: b}}}\n', ['line 1: services.a.extends: not supported: use anchors and <<']],
  ['services: {a: {image: x, container_name: n, scale: 2}}\n', ['line 1: services.a.container_name: only one container can have this name, and several are wanted']],
  ['name: "A B"\nservices: {}\n', ['line 1: name: "A B" cannot be the project\'s name: small letters, digits, - and _']],
])('%j is refused', (text, expected) => {
  expect(problems(text)).toEqual(expected);
});

test('what is left out is told', () => {
  const { warnings } = read('services:\n  a:\n    image: x$NONE\n    build: .\n    deploy: {placement: {}}\n    annotations: {a: b}\n');
  expect(warnings).toEqual([
    'line 3: services.a.image: the variable NONE is not set: it counts as empty', 'line 4: services.a.build: left out: images are not built here, the one that `image` names is pulled',
    'line 5: services.a.deploy.placement: left out: it belongs to swarm mode', 'line 6: services.a.annotations: left out: the engine keeps no annotations',
  ]);
});
