import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerAnswers, type DockerAnswer } from './support/docker-answers.ts';
import { runDockerCli, type CommandResult } from './support/docker-cli.ts';
import { fakeDaemon, type FakeDaemon } from './support/fake-daemon.ts';
import { recordedRoutes } from './support/recorded-engine.ts';
import { runners } from './support/run-cli.ts';

const docker = dockerAnswers('docker-28-create');

const folder = mkdtempSync(join(tmpdir(), 'create-compare-'));
const envFile = join(folder, 'env');
writeFileSync(envFile, '\uFEFF# comment\nA=1\n  B=two words\nPASSED\nUNSET_ONE\n\nC=\n');
const labelFile = join(folder, 'labels');
writeFileSync(labelFile, 'from.file=yes\nbare\n');
const seccomp = join(folder, 'seccomp.json');
writeFileSync(seccomp, '{\n  "defaultAction": "SCMP_ACT_ALLOW"\n}\n');

afterAll(() => rmSync(folder, { recursive: true }));

/** Flags of `create`; each must become the same request as with Docker's own client. */
const flagSets: readonly string[] = [
  '', '-i', '-t', '-it', '-a stdout', '-a stdin -a stderr -i', '--name web', '-h box --domainname lan', '-u 1000:1000', '-w /app', '--entrypoint /bin/sh', '--entrypoint=', '-e A=1 -e B= -e PASSED -e UNSET_ONE', `--env-file ${envFile} -e A=2`,
  `--label-file ${labelFile} -l a=b -l bare2 --label from.file=no`, '-p 8080:80', '-p 127.0.0.1:8080:80/udp', '-p 80', '-p 127.0.0.1::80', '-p [::1]:90:90', '-p 8000-8002:80-82', '-p 8000-8010:80', '-P --expose 90 --expose 7000-7002/udp',
  '-v /host:/data', '-v /host:/data:ro,z', '-v named:/data', '-v /anonymous', '-v ./relative:/data', '-v ../up:/data', '--volumes-from other:ro --volume-driver local', '--tmpfs /run --tmpfs /tmp:size=64m,mode=1777',
  '--mount type=bind,src=/a,dst=/b,readonly', '--mount source=vol,target=/b,volume-nocopy', '--mount type=tmpfs,dst=/t,tmpfs-size=10m,tmpfs-mode=1770', '--mount type=bind,source=./rel,target=/b,bind-propagation=rslave', '--mount type=volume,src=v,dst=/d,volume-subpath=sub,volume-label=a=b,volume-driver=local,"volume-opt=o=uid=1,gid=2"',
  '--mount type=bind,src=/a,dst=/b,bind-recursive=disabled', '--mount dst=/anon', '--mount type=bind,src=/a,dst=/b,ro=false',
  '-m 512m --memory-reservation 256m --memory-swap 1g', '--memory-swap -1 -m 1.5g', '--memory-swappiness 10', '--cpus 1.5', '--cpus .25', '--cpu-shares 512 --cpu-period 100000 --cpu-quota 50000', '--cpuset-cpus 0-1 --cpuset-mems 0', '--cpu-rt-period 1000 --cpu-rt-runtime 950',
  '--blkio-weight 300 --blkio-weight-device /dev/sda:200', '--device-read-bps /dev/sda:1mb --device-write-bps /dev/sda:2m', '--device-read-iops /dev/sda:100 --device-write-iops /dev/sda:200', '--pids-limit 100', '--pids-limit -1', '--ulimit nofile=1024:2048 --ulimit nproc=64', '--oom-kill-disable --oom-score-adj 500',
  '--cap-add NET_ADMIN --cap-drop ALL', '--privileged', '--read-only', '--init', '--init=false', '--security-opt no-new-privileges --security-opt apparmor=unconfined', `--security-opt seccomp=${seccomp}`, '--security-opt seccomp=unconfined', '--security-opt label:disable', '--security-opt systempaths=unconfined',
  '--network host', '--network none', '--network mynet --network-alias a --network-alias b --ip 10.1.2.3 --ip6 fd00::3', '--network name=net1,alias=x,ip=10.0.0.9,driver-opt=a=b --network net2', '--network container:abc', '--net bridge', '--mac-address 92:d0:c6:0a:29:33', '--link other:alias', '--network mynet --link other:alias',
  '--dns 1.1.1.1 --dns-search lan --dns-option ndots:2', '--add-host db:10.0.0.2 --add-host gw=host-gateway --add-host six:[::1]', '--restart always', '--restart on-failure:3', '--restart unless-stopped', '--rm', '--stop-signal SIGINT --stop-timeout 3', '--log-driver json-file --log-opt max-size=1m --log-opt max-file=3',
  '--health-cmd "curl" --health-interval 10s --health-retries 3 --health-timeout 1m --health-start-period 2s', '--no-healthcheck', '--device /dev/null --device /dev/zero:/dev/z:r --device /dev/full:rw', '--device-cgroup-rule "c 1:3 rwm"', '--sysctl net.core.somaxconn=1024 --sysctl kernel.msgmax=1', '--sysctl a=b', '--cap-add ALL --cap-add chown --cap-drop cap_chown --cap-drop ALL --cap-drop mknod', '--shm-size 128m', '--ipc host --pid host --uts host --userns host',
  '--group-add 100 --group-add audio', '--cgroup-parent /x --cgroupns private', '--runtime crun', '--storage-opt size=10G', '--annotation a=b', '--platform linux/arm64', '--isolation default', '-dPq'.replace('d', ''), '--pull never -q', '-ePASSED -p=90:90 -v=/x:/y',
];

/** What an absent, null, empty or zero field means is the same to the daemon. */
function meaning(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.includes('UNSET_ONE') ? value.toSorted() : value.map(meaning);
  if (value === null || value === '' || value === 0 || value === false) return undefined;
  if (typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, item]) => [key, key === 'ExposedPorts' || key === 'Volumes' ? item : meaning(item)] as const).filter(([, item]) => item !== undefined && !(typeof item === 'object' && item !== null && Object.keys(item).length === 0));
  return entries.length === 0 ? undefined : Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => (word.startsWith('"volume') ? word : word.replaceAll('"', '')));
}

/** What came of a command, with the folders of this machine taken out. */
function answer({ code, stdout, stderr }: CommandResult, daemon: FakeDaemon): DockerAnswer {
  const created = daemon.seen.splice(0).filter(({ path }) => path === '/containers/create');
  const requests = created.map(({ method, path, query }) => `${method} ${path} ${[...query].sort().join('&')}`);
  const body = meaning(JSON.parse(created[0]?.body.toString() ?? 'null'));
  const text = JSON.stringify({ code, stdout, stderr, requests, body: body ?? null }).replaceAll(folder, 'FOLDER').replaceAll(process.cwd(), '/HERE').replaceAll(dirname(process.cwd()), '/ABOVE');
  return JSON.parse(text) as DockerAnswer;
}

describe.each(runners)("create requests against Docker's command line, %s", (_name, run) => {
  let daemon: FakeDaemon;
  beforeAll(async () => {
    daemon = await fakeDaemon({ routes: recordedRoutes });
  });
  afterAll(async () => {
    docker.finish();
    await daemon.close();
  });

  it.each(flagSets.map((flags) => [flags]))('create %s', async (flags) => {
    const args = ['create', ...words(flags.replaceAll('"volume-opt=o=uid=1,gid=2"', 'volume-opt=o=uid1')), 'busybox', 'echo', '-n', '--rm', 'hi'];
    const environment = { PASSED: 'on' };
    const theirs = await docker.of(flags.replaceAll(folder, 'FOLDER'), async () => answer(await runDockerCli(args, daemon.host, { environment }), daemon));
    const ours = answer(await run(args, daemon.host, { environment, workingDirectory: process.cwd() }), daemon);
    expect(ours).toEqual(theirs);
    expect(ours.requests.length).toBe(theirs.code === 0 ? 1 : 0);
  });
});
