import type { FakeDaemonOptions, Reply } from './fake-daemon.ts';

/** Shapes as Docker 28 serves them, shortened. */
export const containerId = '4fa6e0f0c6786287e131c3852c58a2e01cc697a68231826813597e4994f1d6e2';
const otherId = '8dfafdbc3a40f6e1b2c3d4e5f60718293a4b5c6d7e8f901a2b3c4d5e6f708192';
const imageId = 'sha256:ec3f0931a6e6b6855d76b2d7b0be30e81860baccd891b2e243280bf1cd8ad710';
export const createdSeconds = 1_760_000_000;

export const containerSummaries = [
  {
    Id: containerId, Names: ['/web', '/other/alias'], Image: 'nginx:1.27', ImageID: imageId, Command: '/docker-entrypoint.sh nginx -g "daemon off;"', Created: createdSeconds,
    Ports: [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }, { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 443, Type: 'tcp' }, { IP: '0.0.0.0', PrivatePort: 9000, PublicPort: 9000, Type: 'tcp' }, { IP: '0.0.0.0', PrivatePort: 9001, PublicPort: 9001, Type: 'tcp' },
      { IP: '0.0.0.0', PrivatePort: 53, PublicPort: 53, Type: 'udp' },
    ],
    Labels: { 'com.example.role': 'front', tier: 'web' }, State: 'running', Status: 'Up 3 hours (healthy)', HostConfig: { NetworkMode: 'bridge' },
    NetworkSettings: { Networks: { bridge: { NetworkID: 'abc', IPAddress: '172.17.0.2' } } },
    Mounts: [{ Type: 'volume', Name: 'a-volume-with-a-long-name', Source: '/x', Destination: '/data', Driver: 'local', Mode: 'z', RW: true, Propagation: '' }],
    SizeRw: 1_093_000, SizeRootFs: 197_000_000,
  },
  {
    Id: otherId, Names: ['/db'], Image: imageId, ImageID: imageId, Command: 'sleep 1000', Created: createdSeconds - 400_000, Ports: [], Labels: {}, State: 'exited',
    Status: 'Exited (137) 2 days ago', HostConfig: { NetworkMode: 'host' }, NetworkSettings: { Networks: { host: {} } }, Mounts: [],
  },
];

export const images = [
  { Id: imageId, ParentId: '', RepoTags: ['nginx:1.27', 'nginx:latest', 'registry:5000/team/app:v2'], RepoDigests: ['nginx@sha256:aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999'], Created: createdSeconds, Size: 197_123_456, SharedSize: -1, Containers: -1, Labels: null },
  { Id: `sha256:${'b'.repeat(64)}`, ParentId: '', RepoTags: [], RepoDigests: [], Created: createdSeconds - 8_000_000, Size: 4_261_502, SharedSize: -1, Containers: -1, Labels: { a: 'b' } },
];

export const container = {
  Id: containerId, Created: '2025-10-09T08:53:20.123456789Z', Path: '/docker-entrypoint.sh', Args: ['nginx', '-g', 'daemon off;'],
  State: { Status: 'running', Running: true, Paused: false, Restarting: false, OOMKilled: false, Dead: false, Pid: 4242, ExitCode: 0, Error: '', StartedAt: '2025-10-09T08:53:21Z', FinishedAt: '0001-01-01T00:00:00Z' },
  Image: imageId, Name: '/web', RestartCount: 0, Driver: 'overlay2', Platform: 'linux',
  HostConfig: { Binds: null, NetworkMode: 'bridge', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, AutoRemove: false, Memory: 134_217_728, NanoCpus: 1_500_000_000, Dns: [], CapAdd: null },
  Mounts: [{ Type: 'bind', Source: '/srv', Destination: '/data', Mode: 'ro', RW: false, Propagation: 'rprivate' }],
  Config: { Hostname: '4fa6e0f0c678', User: '', Tty: false, OpenStdin: false, Env: ['PATH=/usr/bin', 'A=<b>&"c"'], Cmd: ['nginx'], Image: 'nginx:1.27', Labels: { 'com.example.role': 'front', tier: 'web' }, ExposedPorts: { '80/tcp': {} }, Entrypoint: null },
  NetworkSettings: {
    Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }, { HostIp: '::', HostPort: '8080' }], '443/tcp': null },
    Networks: { bridge: { IPAMConfig: null, Links: null, Aliases: null, MacAddress: '02:42:ac:11:00:02', NetworkID: 'abc', Gateway: '172.17.0.1', IPAddress: '172.17.0.2', IPPrefixLen: 16 } },
  },
};

const json = (value: unknown) => (): Reply => ({ json: value });
const notFound = (message: string) => (): Reply => ({ status: 404, json: { message } });

export const recordedRoutes: NonNullable<FakeDaemonOptions['routes']> = {
  'GET /containers/json': json(containerSummaries),
  'GET /containers/(web|4fa6.*)/json': json(container),
  'GET /containers/[^/]+/json': notFound('No such container: missing'),
  'GET /images/json': json(images),
  'GET /images/.*/history': json([
    { Id: imageId, Created: createdSeconds, CreatedBy: '/bin/sh -c #(nop)  CMD ["nginx" "-g" "daemon off;"]', Tags: ['nginx:1.27'], Size: 0, Comment: '' },
    { Id: '<missing>', Created: createdSeconds - 100_000, CreatedBy: 'RUN /bin/sh -c apt-get update\t&& true # buildkit', Tags: null, Size: 74_800_123, Comment: 'buildkit.dockerfile.v0' },
  ]),
  'GET /images/.*/json': notFound('No such image: missing:latest'),
  'GET /networks': json([
    { Name: 'none', Id: 'c'.repeat(64), Created: '2025-10-09T08:00:00Z', Scope: 'local', Driver: 'null', EnableIPv4: true, EnableIPv6: false, Internal: false, Labels: {} },
    { Name: 'bridge', Id: 'd'.repeat(64), Created: '2025-10-09T08:00:00Z', Scope: 'local', Driver: 'bridge', EnableIPv4: true, EnableIPv6: false, Internal: false, Labels: { x: 'y' } },
  ]),
  'GET /networks/.*': notFound('network missing not found'),
  'GET /volumes': json({ Volumes: [
    { Name: 'b-volume', Driver: 'local', Mountpoint: '/v/b', Scope: 'local', Labels: null, Options: null, CreatedAt: '2025-10-09T08:00:00Z' },
    { Name: 'a-volume', Driver: 'local', Mountpoint: '/v/a', Scope: 'local', Labels: { k: 'v' }, Options: null, CreatedAt: '2025-10-09T08:00:00Z' },
  ], Warnings: null }),
  'GET /volumes/.*': notFound('get missing: no such volume'),
  'GET /containers/.*/top': json({ Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'], Processes: [['root', '4242', '4200', '0', '08:53', '?', '00:00:00', 'nginx: master process'], ['www', '4250', '4242', '0', '08:53', '?', '00:00:00', 'nginx: worker']] }),
  'GET /containers/.*/changes': json([{ Path: '/etc', Kind: 0 }, { Path: '/etc/new', Kind: 1 }, { Path: '/gone', Kind: 2 }]),
  'GET /system/df': json({ LayersSize: 201_384_958, Images: images.map((image) => ({ ...image, Containers: 1, SharedSize: 0 })), Containers: containerSummaries, Volumes: [], BuildCache: [] }),
  'GET /info': json({ ID: 'x', Swarm: { LocalNodeState: 'inactive' } }),
  'POST /build/prune': json({ CachesDeleted: null, SpaceReclaimed: 0 }),
  'GET /events': () => ({ text: [
    { status: 'start', id: containerId, from: 'nginx:1.27', Type: 'container', Action: 'start', Actor: { ID: containerId, Attributes: { name: 'web', image: 'nginx:1.27', exitCode: '0' } }, scope: 'local', time: 1_760_000_000, timeNano: 1_760_000_000_123_456_768 },
    { Type: 'network', Action: 'connect', Actor: { ID: 'd'.repeat(64), Attributes: { container: containerId, name: 'bridge', type: 'bridge' } }, scope: 'local', time: 1_760_000_001, timeNano: 1_760_000_001_000_000_000 },
  ].map((event) => `${JSON.stringify(event).replace('1760000000123456800', '1760000000123456768')}\n`).join(''), headers: { 'Content-Type': 'application/json' } }),
  'POST /containers/create': json({ Id: containerId, Warnings: [] }),
  'POST /containers/[^/]+/(stop|kill|restart|pause|unpause|start)': () => ({}),
  'DELETE /containers/missing': notFound('No such container: missing'),
  'DELETE /containers/.*': () => ({}),
  'DELETE /images/missing': notFound('No such image: missing:latest'),
  'DELETE /images/.*': json([{ Untagged: 'nginx:1.27' }, { Deleted: imageId }]),
  'POST /volumes/create': json({ Name: 'made', Driver: 'local', Mountpoint: '/v/made', Scope: 'local', Labels: {}, Options: {} }),
  'POST /networks/create': json({ Id: 'e'.repeat(64), Warning: '' }),
  'POST /(containers|images|volumes|networks)/prune': ({ path }) => ({ json: path === '/networks/prune' ? { NetworksDeleted: ['old'] } : path === '/images/prune' ? { ImagesDeleted: [{ Untagged: 'x:1' }, { Deleted: 'sha256:1' }], SpaceReclaimed: 12_345_678 } : path === '/volumes/prune' ? { VolumesDeleted: null, SpaceReclaimed: 0 } : { ContainersDeleted: [containerId], SpaceReclaimed: 1000 } }),
};
