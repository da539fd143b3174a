import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { expect, it } from 'vitest';
import { ROUTES } from '../../../src/engine/api/routes.ts';
import { describeLab } from '../support/describe-lab.ts';
import type { Answer } from '../support/engine-call.ts';
import { IMAGE } from '../support/lab.ts';

/** Every route that takes a body, by its pattern; of those of swarm mode, which have one handler, the first. */
const TARGETS = ROUTES.filter(([method, pattern]) => (method === 'POST' || method === 'PUT') && !/^\/(services|nodes|tasks|secrets|configs)/.test(pattern)).map(([method, pattern]) => ({ method, pattern }));

const deep = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth);

const BODIES: readonly [string, string | Buffer][] = [
  ['nothing', ''], ['null', 'null'], ['a list', '[]'], ['a number', '1e999'], ['a text', '"x"'], ['half an object', '{"Image":'], ['two objects', '{}{}'], ['a trailing comma', '{"a":1,}'],
  ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])], ['a NUL', '{"Name":"a\0b"}'], ['an escaped NUL', '{"Name":"a\\u0000b","Image":"a\\u0000b","Cmd":["\\u0000"]}'], ['half a surrogate', '{"Name":"\\ud800"}'],
  ['deep lists', deep(200_000, '[', ']')], ['deep objects', deep(100_000, '{"a":', '}').replace('{"a":}', '{"a":1}')], ['a deep field', `{"Image":${deep(50_000, '[', ']')}}`],
  ['many keys', JSON.stringify(Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`key${index}`, index])))], ['names of the prototype', '{"__proto__":{"Image":"x"},"constructor":1,"toString":2,"hasOwnProperty":3}'],
  ['more than is read', `{"Name":"${'a'.repeat(5_000_000)}"}`],
];

/** A value of each kind; a field that expects one of them is given the others. */
const WRONG: readonly unknown[] = [null, true, -1, 1.5, 1e300, '', 'x', '\u0000', 'é\u{1f600}', [], [null], [[]], [1], ['x'], {}, { a: null }, { a: 1 }, { a: 'x' }, { a: [{}] }, { '80/tcp': [1] }, { x: { y: { z: 1 } } }];

const CREATE = {
  Hostname: 'h', Domainname: 'd', User: 'root', AttachStdin: false, Tty: false, OpenStdin: false, StdinOnce: false, Env: ['A=b'], Cmd: ['true'], Image: IMAGE, Volumes: { '/v': {} }, WorkingDir: '/', Entrypoint: [], OnBuild: [], Labels: { a: 'b' }, ExposedPorts: { '80/tcp': {} },
  StopSignal: 'TERM', StopTimeout: 1, MacAddress: '', NetworkDisabled: false, Shell: ['sh'], Healthcheck: { Test: ['NONE'], Interval: 1_000_000_000, Timeout: 1_000_000_000, StartPeriod: 0, Retries: 1 },
  NetworkingConfig: { EndpointsConfig: { bridge: { Aliases: [], Links: [], MacAddress: '', DriverOpts: { a: 'b' }, IPAMConfig: { IPv4Address: '', IPv6Address: '', LinkLocalIPs: [] } } } },
  HostConfig: {
    Binds: [], ContainerIDFile: '', LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } }, NetworkMode: 'default', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '' }] }, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, AutoRemove: false, VolumeDriver: '', VolumesFrom: [], CapAdd: [],
    CapDrop: [], CgroupnsMode: '', Dns: [], DnsOptions: [], DnsSearch: [], ExtraHosts: [], Links: [], GroupAdd: [], IpcMode: '', OomScoreAdj: 0, PidMode: '', Privileged: false, PublishAllPorts: false, ReadonlyRootfs: false, SecurityOpt: [], UTSMode: '', UsernsMode: '', ShmSize: 0, CpuShares: 0,
    Memory: 0, NanoCpus: 0, CgroupParent: '', BlkioWeight: 0, CpuPeriod: 0, CpuQuota: 0, CpusetCpus: '', CpusetMems: '', Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/x', CgroupPermissions: 'rwm' }], MemoryReservation: 0, MemorySwap: 0, MemorySwappiness: null, OomKillDisable: false,
    PidsLimit: 0, Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }], MaskedPaths: [], ReadonlyPaths: [], DeviceCgroupRules: [], Runtime: '', Isolation: '', Tmpfs: { '/t': 'size=1m' }, Sysctls: { 'net.ipv4.ip_forward': '1' }, Init: true,
    Mounts: [{ Type: 'volume', Target: '/m', Source: 'vol', ReadOnly: false, VolumeOptions: { NoCopy: true, Labels: { a: 'b' }, Subpath: '' } }, { Type: 'tmpfs', Target: '/u', TmpfsOptions: { SizeBytes: 0, Mode: 0 } }, { Type: 'bind', Target: '/w', Source: '/', BindOptions: { Propagation: '', NonRecursive: false, CreateMountpoint: false } }],
  },
};

/** Bodies of other routes that have some; mutated field by field like CREATE. */
const OTHER: Record<string, object> = {
  '/containers/{id}/exec': { Cmd: ['true'], AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Privileged: false, User: '', WorkingDir: '', Env: ['A=b'], DetachKeys: '' },
  '/exec/{id}/start': { Detach: true, Tty: false, ConsoleSize: [10, 10] },
  '/containers/{id}/update': { Memory: 0, CpuShares: 0, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, PidsLimit: 0, CpusetCpus: '', BlkioWeight: 0, NanoCpus: 0, MemorySwap: 0 },
  '/networks/create': { Name: 'made', Driver: 'bridge', Internal: false, Attachable: false, EnableIPv6: false, Labels: { a: 'b' }, Options: { 'com.docker.network.driver.mtu': '1400' }, IPAM: { Driver: 'default', Options: {}, Config: [{ Subnet: '10.99.0.0/16', Gateway: '10.99.0.1', IPRange: '10.99.1.0/24', AuxiliaryAddresses: { a: '10.99.1.9' } }] } },
  '/networks/{id}/connect': { Container: 'there', EndpointConfig: { Aliases: ['a'], Links: [], MacAddress: '', DriverOpts: { a: 'b' }, IPAMConfig: { IPv4Address: '', LinkLocalIPs: [] } } },
  '/networks/{id}/disconnect': { Container: 'there', Force: false },
  '/volumes/create': { Name: 'made', Driver: 'local', DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }, Labels: { a: 'b' } },
  '/auth': { username: 'u', password: 'p', serveraddress: '127.0.0.1:1', email: '', auth: '', identitytoken: '', registrytoken: '' },
  '/commit': { Cmd: ['x'], Env: ['A=b'], ExposedPorts: { '80/tcp': {} }, Labels: { a: 'b' }, Volumes: { '/x': {} }, Healthcheck: { Test: ['NONE'] }, User: '', WorkingDir: '/', Entrypoint: ['x'], OnBuild: ['RUN true'], StopSignal: 'TERM' },
};

/** The body with one value, at whatever depth, in place of another, and with one more key at the end. */
function* mutants(body: unknown, path: string): Generator<[string, unknown]> {
  if (typeof body !== 'object' || body === null) return;
  for (const [key, value] of Object.entries(body)) {
    const put = (other: unknown): unknown => (Array.isArray(body) ? body.with(Number(key), other) : { ...body, [key]: other });
    for (const other of WRONG) yield [`${path}.${key} = ${JSON.stringify(other)}`, put(other)];
    for (const [where, inner] of mutants(value, `${path}.${key}`)) yield [where, put(inner)];
  }
}

/** All of them with OSBUILD_FUZZ_ROUNDS above 1, else every fifth. */
function* sampled<T>(all: Iterable<T>): Generator<T> {
  const step = Number(process.env['OSBUILD_FUZZ_ROUNDS'] ?? '1') > 1 ? 1 : 5;
  let index = 0;
  for (const item of all) {
    if (index % step === 0) yield item;
    index += 1;
  }
}

describeLab('malformed JSON', (lab) => {
  const residentKb = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${lab.daemonPid()}/status`, 'utf8'))?.[1]);
  let ids = { container: '', exec: '' };
  let container = '';

  const post = (method: string, path: string, body: string | Buffer, type = 'application/json'): Promise<Answer> =>
    new Promise((resolve) => {
      const parts: Buffer[] = [];
      const content = Buffer.from(body);
      const call = request({ socketPath: lab.socket, method, path: `/v1.47${path}`, agent: false, headers: { 'Content-Type': type, 'Content-Length': content.length } }, (response) => {
        // Waits, attaches and streams have no end of their own.
        const end = (): void => {
          clearTimeout(timer);
          call.destroy();
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() });
        };
        const timer = setTimeout(end, 60);
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', end);
        response.on('error', end);
      });
      call.on('error', () => resolve({ status: 0, body: '' }));
      call.on('upgrade', (_, socket) => {
        socket.destroy();
        resolve({ status: 101, body: '' });
      });
      call.end(content);
    });

  const prepare = async (): Promise<void> => {
    if (container === '' || lab.docker('inspect', 'there').code !== 0) {
      container = lab.ok('run', '-d', '--name', 'there', '--stop-signal', 'KILL', IMAGE, 'sleep', '100000');
      lab.docker('network', 'create', 'net');
    }
    // Some of what was sent stops or pauses it.
    await post('POST', `/containers/${container}/unpause`, '');
    await post('POST', `/containers/${container}/start`, '');
    const { body } = await post('POST', `/containers/${container}/exec`, '{"Cmd":["true"]}');
    ids = { container, exec: (JSON.parse(body) as { Id: string }).Id };
  };
  const pathOf = (pattern: string, known: boolean): string =>
    pattern.replace(/\{(\w+)\*?\}/, () => (!known ? 'unknown' : pattern.startsWith('/exec') ? ids.exec : pattern.startsWith('/networks') ? 'net' : pattern.startsWith('/images') ? encodeURIComponent(IMAGE) : ids.container));

  /** Clients whose types are stricter than JSON read what was made, and it goes. */
  const takeBack = async (pattern: string, answers: readonly string[]): Promise<string[]> => {
    const kind = /^\/(container|network|volume)s\/create$/.exec(pattern)?.[1] ?? (pattern === '/commit' ? 'image' : undefined);
    if (kind === undefined) return [];
    const names = [...new Set(answers.map((answer) => (JSON.parse(answer) as { Id?: string; Name?: string }).Id ?? (JSON.parse(answer) as { Name: string }).Name))];
    const { code, stderr } = names.length === 0 ? { code: 0, stderr: '' } : lab.docker(kind, 'inspect', ...names);
    for (const name of names) await post('DELETE', `/${kind}s/${encodeURIComponent(name)}?force=1&v=1`, '');
    return code === 0 ? [] : [`what ${pattern} made cannot be read: ${stderr}`];
  };

  /** Faults of ours, as the daemon's log has them since `from`. */
  const faults = (from: number): string[] => lab.daemonLog().slice(from).split('\n').filter((line) => line.includes('level=error'));

  it('on every route: refused or done without, never a fault', async () => {
    const wrong: string[] = [];
    for (const { method, pattern } of TARGETS) {
      for (const known of pattern.includes('{') ? [true, false] : [true]) {
        await prepare();
        for (const [name, body] of BODIES) {
          const from = lab.daemonLog().length;
          const { status } = await post(method, pathOf(pattern, known), body);
          const found = faults(from);
          if (status === 0 || found.length > 0) wrong.push(`${method} ${pattern} (${known ? 'known' : 'unknown'}) with ${name}: ${status} ${found[0]?.slice(0, 600) ?? ''}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(residentKb()).toBeLessThan(64 * 1024);
  }, 240_000);

  it('with a wrong value at every place of a body: refused, or taken as it is', async () => {
    const wrong: string[] = [];
    for (const [pattern, body] of Object.entries({ '/containers/create': CREATE, ...OTHER })) {
      await prepare();
      const made: string[] = [];
      for (const [where, mutant] of sampled(mutants(body, pattern))) {
        const from = lab.daemonLog().length;
        const { status, body: answer } = await post('POST', pathOf(pattern, true) + (pattern === '/commit' ? `?container=${ids.container}` : ''), JSON.stringify(mutant));
        const found = faults(from);
        // That a registry cannot be reached is no fault of the request.
        const failed = status === 500 && !answer.startsWith('{"message":"Get ');
        if (status === 0 || failed || found.length > 0) wrong.push(`${where}: ${status} ${answer.slice(0, 200)} ${found[0]?.slice(0, 600) ?? ''}`);
        if (status === 201) made.push(answer);
        if (made.length === 100) wrong.push(...(await takeBack(pattern, made.splice(0))));
        if (pattern === '/networks/{id}/connect') await post('POST', '/networks/net/disconnect', '{"Container":"there"}');
      }
      wrong.push(...(await takeBack(pattern, made)));
    }
    expect(wrong).toEqual([]);
    expect(lab.ok('exec', ids.container, 'echo', 'inside')).toBe('inside');
  }, 400_000);
});
