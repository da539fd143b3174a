import { describe, expect, it } from 'vitest';
import { parseCreateRequest } from '../../../src/engine/containers/parse-create.ts';
import { planMounts } from '../../../src/engine/containers/mount-plan.ts';
import { initialState, type ContainerRecord } from '../../../src/engine/containers/record.ts';
import { containerSpec, environment, type SpecInput } from '../../../src/engine/containers/spec.ts';

function input(body: object, changes: Partial<SpecInput> = {}): SpecInput {
  const { config, hostConfig } = parseCreateRequest({ Image: 'x', Cmd: ['true'], ...body });
  const record: ContainerRecord = {
    id: 'c0ffee', name: 'n', created: '', imageId: '', imageName: '', diffIds: [], config, hostConfig, endpoints: {}, argv: ['true'], state: initialState(),
    mounts: planMounts(hostConfig, []), endpoint: { network: 'bridge', ports: [] }, attachments: [],
  };
  return {
    record, rootfs: '/rootfs', user: { uid: 0, gid: 0, groups: [0], home: '/root' }, capabilities: ['CAP_CHOWN'], hostname: 'box', join: {}, devices: [], cgroupVersion: 2, seccomp: undefined, initProgram: undefined, variables: [], sources: new Map(),
    etc: { hosts: '/e/hosts', hostname: '/e/hostname', resolvConf: '/e/resolv.conf' }, ...changes,
  };
}

const json = (value: object): string => `${JSON.stringify(value, null, 1)}\n`;

describe('the OCI specification', () => {
  it('of a plain container', async () => {
    await expect(json(containerSpec(input({})))).toMatchFileSnapshot('golden/plain.json');
  });

  it('of one with everything', async () => {
    const body = {
      Tty: true, Env: ['A=b', 'PATH=/bin', 'GONE'], WorkingDir: '/w', StopSignal: 'INT',
      HostConfig: {
        Binds: ['/h:/in:ro,rshared', 'vol:/data'], Tmpfs: { '/t': 'size=1m,exec' }, Memory: 64 << 20, MemorySwap: -1, NanoCpus: 1.5e9, CpusetCpus: '0', PidsLimit: 9, ReadonlyRootfs: true,
        ShmSize: 1 << 20, Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }], Sysctls: { 'net.core.somaxconn': '9' }, OomScoreAdj: 5, SecurityOpt: ['no-new-privileges'], CgroupParent: '/mine', IpcMode: 'host', UTSMode: 'host',
      },
    };
    const device = { device: { path: '/dev/x', type: 'c' as const, major: 7, minor: 8 }, access: 'r' };
    await expect(json(containerSpec(input(body, { user: { uid: 5, gid: 6, groups: [6, 7], home: '/h' }, devices: [device], cgroupVersion: 1 })))).toMatchFileSnapshot('golden/everything.json');
  });

  it('of a privileged one hides nothing and limits no device', () => {
    const spec = containerSpec(input({ HostConfig: { Privileged: true, PidMode: 'host', NetworkMode: 'host' } }));
    expect(spec.linux.maskedPaths).toEqual([]);
    expect(spec.linux.resources.devices).toEqual([{ allow: true, access: 'rwm' }]);
    expect(spec.linux.namespaces.map(({ type }) => type)).toEqual(['mount', 'ipc', 'uts', 'cgroup']);
    expect(spec.linux.sysctl).toBeUndefined();
    expect(spec.mounts.find(({ destination }) => destination === '/sys')?.options).toContain('rw');
  });

  it('joins namespaces by path', () => {
    const spec = containerSpec(input({ HostConfig: { NetworkMode: 'container:x' } }, { join: { network: '/proc/9/ns/net' } }));
    expect(spec.linux.namespaces).toContainEqual({ type: 'network', path: '/proc/9/ns/net' });
  });

  it('lets a mount of the user take the place of ours', () => {
    const spec = containerSpec(input({ HostConfig: { Binds: ['/h:/dev/shm'] } }));
    expect(spec.mounts.filter(({ destination }) => destination === '/dev/shm')).toEqual([{ destination: '/dev/shm', type: 'bind', source: '/h', options: ['rbind', 'rprivate', 'rw'] }]);
  });

  it('filters system calls, of a privileged container only by a profile of its own', () => {
    const profileOf = (HostConfig: object): string | undefined =>
      containerSpec(input({ HostConfig }, { seccomp: { architecture: 'arm64', kernelVersion: '6.1.0' } })).linux.seccomp?.defaultAction;
    const own = 'seccomp={"defaultAction":"SCMP_ACT_LOG"}';
    expect(profileOf({})).toBe('SCMP_ACT_ERRNO');
    expect(profileOf({ SecurityOpt: ['seccomp=unconfined'] })).toBeUndefined();
    expect(profileOf({ SecurityOpt: ['seccomp=builtin'] })).toBe('SCMP_ACT_ERRNO');
    expect(profileOf({ SecurityOpt: [own] })).toBe('SCMP_ACT_LOG');
    expect(profileOf({ Privileged: true })).toBeUndefined();
    expect(profileOf({ Privileged: true, SecurityOpt: [own] })).toBe('SCMP_ACT_LOG');
  });

  it.each(['apparmor=custom', 'nonsense'])('is not made with %s', (option) => {
    expect(() => containerSpec(input({ HostConfig: { SecurityOpt: [option] } }))).toThrow('is not supported');
  });

  it('has the environment in Docker’s order', () => {
    expect(environment(['B=2', 'HOSTNAME=mine', 'HOME'], true, 'box', '/root')).toEqual(['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=mine', 'TERM=xterm', 'B=2', 'HOME=/root']);
  });
});
