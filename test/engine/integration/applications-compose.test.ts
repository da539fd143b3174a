// What the keeper makes of a compose file is what the real docker compose makes of it, and its commands find it.
import { afterAll, beforeAll, expect, it } from 'vitest';

import { applicationsObstacle, composeIn } from '../support/applications.ts';
import { describeLab } from '../support/describe-lab.ts';
import { prepareKeeper, type Keeper } from '../support/keeper.ts';
import { waitFor } from '../support/lab.ts';

const FILE = `
x-common: &common
  image: busybox:lab
  init: true
  labels: {team: sea, "plain": "yes"}
  stop_grace_period: 1s
services:
  first:
    <<: *common
    command: sh -c 'echo "said $\${WORD}"; exec sleep 1000'
    environment: {WORD: "\${WORD:-none}", NUMBER: 1.50, FLAG: true, TAKEN: , EMPTY: ""}
    env_file: [more.env]
    ports: ["18081:81", "127.0.0.1:18082-18083:82-83/udp", {target: 90, published: "18090", protocol: tcp}]
    expose: [99]
    volumes:
      - rows:/rows
      - ./data:/data:ro
      - /anonymous
      - {type: tmpfs, target: /small, tmpfs: {size: 1048576}}
      - {type: volume, source: rows, target: /again, read_only: true, volume: {nocopy: true}}
      - {type: bind, source: ./data, target: /other, read_only: true}
    networks: {back: {aliases: [one, two], ipv4_address: 10.77.0.9}, front: }
    healthcheck: {test: "true", interval: 2s, timeout: 3s, retries: 4, start_period: 5s}
    restart: on-failure:3
    cap_add: [NET_ADMIN]
    cap_drop: [MKNOD]
    devices: ["/dev/null:/dev/nothing:rw"]
    ulimits: {nofile: {soft: 100, hard: 200}, nproc: 300}
    sysctls: {net.ipv4.ip_unprivileged_port_start: 80}
    extra_hosts: ["elsewhere:10.1.1.1"]
    dns: [10.77.0.1]
    dns_search: example.net
    hostname: boat
    user: "1:1"
    working_dir: /tmp
    stop_signal: SIGINT
    group_add: [7]
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 50
    shm_size: 1m
    read_only: true
    tmpfs: ["/run:size=1m", /tmp]
    security_opt: ["no-new-privileges:true"]
    logging: {driver: json-file, options: {max-size: 1m, max-file: "2"}}
    secrets: [word, {source: word, target: other}]
    configs: [{source: word, target: /etc/word}]
    oom_score_adj: 100
  second:
    <<: *common
    entrypoint: ["sh", "-c"]
    command: ["sleep 1000"]
    network_mode: service:first
    ipc: shareable
    depends_on: {first: {condition: service_healthy}}
    deploy: {resources: {limits: {cpus: "0.25", memory: 32M, pids: 20}, reservations: {memory: 16M}}, restart_policy: {condition: any}}
    volumes_from: [first]
  third:
    <<: *common
    command: sleep 1000
    links: ["first:uno"]
    networks: [back]
    scale: 2
    privileged: true
    pid: host
volumes: {rows: {labels: {kind: rows}}}
networks:
  front: {labels: {a: b}}
  back: {internal: true, ipam: {config: [{subnet: 10.77.0.0/24}]}}
secrets: {word: {file: ./word}}
configs: {word: {file: ./word}}
`;

type Json = Record<string, unknown>;

/** What is the same for the same container, whoever made it. */
function comparable(text: string): Json {
  const [first] = JSON.parse(text) as [Json & { Id: string }];
  const drop = new Set(['Id', 'Created', 'State', 'ResolvConfPath', 'HostnamePath', 'HostsPath', 'LogPath', 'GraphDriver', 'NetworkSettings', 'ExecIDs', 'RestartCount']);
  const steady = (key: string, value: unknown): unknown => {
    if (key === 'Labels' && typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).filter(([name]) => !/config-hash|compose\.version|io\.minke|config_files/.test(name)).toSorted());
    }
    if (typeof value === 'string' && /^[0-9a-f]{64}$|^container:[0-9a-f]{64}$|volumes\/[0-9a-f]{64}\/|^[0-9a-f]{12}$/.test(value)) return 'an id';
    if (['Env', 'CapAdd', 'CapDrop', 'VolumesFrom'].includes(key) && Array.isArray(value)) return value.map((word: string) => word.replace(/[0-9a-f]{64}/, 'an id').replace(/^CAP_/, '')).toSorted();
    if (key === 'Mounts' && Array.isArray(value)) return value.map(({ Mode: _, ...mount }: Json) => JSON.stringify(mount).replaceAll(/[0-9a-f]{64}/g, 'an id')).toSorted();
    if (key === 'Ulimits' && Array.isArray(value)) return value.map((limit) => JSON.stringify(limit)).toSorted();
    // Asked for in other words; what comes of it is in Mounts and networks.
    if (typeof value === 'object' && value !== null && 'Binds' in value) return { ...value, Binds: null, Mounts: null, Links: null, ExtraHosts: 'ExtraHosts' in value && Array.isArray(value.ExtraHosts) && value.ExtraHosts.length > 0 ? value.ExtraHosts : null };
    if (key === 'Volumes') return null;
    return value;
  };
  const networks = (first['NetworkSettings'] as { Networks: Record<string, { Aliases: string[] | null; IPAMConfig: Json | null }> }).Networks;
  const kept = Object.entries(networks).map(([name, { Aliases, IPAMConfig }]) => [name, [...new Set(Aliases ?? [])].filter((alias) => !/^[0-9a-f]{12}$/.test(alias)).toSorted(), IPAMConfig?.['IPv4Address'] ?? null]).toSorted();
  return { ...(JSON.parse(JSON.stringify(Object.fromEntries(Object.entries(first).filter(([key]) => !drop.has(key))), steady)) as Json), networks: kept };
}

describeLab('applications, beside docker compose', (lab) => {
  let keeper: Keeper;
  beforeAll(() => {
    keeper = prepareKeeper(lab);
    keeper.put('more.env', "MORE='two words'\nWORD=other\n");
    keeper.put('.env', 'WORD=file\nTAKEN=taken\n');
    keeper.put('word', 'secret\n');
    keeper.put('data/file', 'x');
    keeper.put('compose.yaml', FILE);
  });
  afterAll(async () => {
    await keeper.kill('SIGTERM');
    keeper.close();
  });

  it('every container, network and volume is the same', async () => {
    const compose = composeIn(lab, '/mnt/boot/apps');
    const containers = ['apps-first-1', 'apps-second-1', 'apps-third-1', 'apps-third-2'];
    const look = (): Json => ({
      ...Object.fromEntries(containers.map((name) => [name, comparable(lab.ok('inspect', name))])),
      networks: ['apps_front', 'apps_back'].map((name) => (JSON.parse(lab.ok('network', 'inspect', name)) as [Json])[0]).map(({ Internal, IPAM, Options, Driver, Labels }) => ({ Internal, IPAM, Options, Driver, project: (Labels as Json)['com.docker.compose.network'] })),
      volume: (JSON.parse(lab.ok('volume', 'inspect', 'apps_rows')) as [{ Labels: Json }])[0].Labels['kind'],
    });
    compose.ok('up', '-d');
    const theirs = look();
    compose.ok('down', '-v', '-t', '1');
    expect(lab.ok('ps', '-aq')).toBe('');
    keeper.start();
    await keeper.settled();
    const ours = look();
    // Subnets are lent in turn.
    const plain = (value: Json): Json => JSON.parse(JSON.stringify(value).replaceAll(/"Subnet":"172[^"]*","Gateway":"[^"]*"/g, '"any":1')) as Json;
    expect(plain(ours)).toEqual(plain(theirs));
  }, 180_000);

  it('its commands find the project', async () => {
    const compose = composeIn(lab, '/mnt/boot/apps');
    await waitFor(() => compose('ps', '-q').stdout.trim().split('\n').length === 4);
    expect(compose.ok('ps', '--format', '{{.Service}} {{.State}}').trim().split('\n').toSorted()).toEqual(['first running', 'second running', 'third running', 'third running']);
    expect(compose.ok('logs', '--no-log-prefix', 'first')).toContain('said file');
    expect(compose.ok('exec', '-T', 'first', 'cat', '/run/secrets/other', '/etc/word')).toBe('secret\nsecret\n');
    expect(compose.ok('top', 'third')).toContain('sleep 1000');
    expect(compose.ok('ls', '--format', 'json')).toContain('"Name":"apps"');
  });

  it('what docker compose takes down comes back', async () => {
    composeIn(lab, '/mnt/boot/apps').ok('down', '-t', '1');
    await keeper.settled(({ settled }) => settled && lab.ok('ps', '-q').split('\n').length === 4);
  }, 120_000);
}, { obstacle: applicationsObstacle() });
