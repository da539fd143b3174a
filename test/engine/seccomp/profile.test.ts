import { describe, expect, it } from 'vitest';
import { DEFAULT_PROFILE } from '../../../src/engine/seccomp/default-profile.ts';
import { parseProfile, resolveProfile, type SeccompFacts } from '../../../src/engine/seccomp/profile.ts';
import { refuseIoctl } from '../../../src/engine/seccomp/refuse-ioctl.ts';

const facts = (capabilities: string[] = [], architecture = 'amd64'): SeccompFacts => ({ capabilities, architecture, kernelVersion: '6.1.0-12-amd64' });

/** What a filter answers to one system call, by the rules of libseccomp: a rule without arguments, or whose arguments match, wins over the default. */
function verdict(given: SeccompFacts, name: string, argument = 0, profile = DEFAULT_PROFILE): string {
  const filter = resolveProfile(profile, given);
  for (const call of filter.syscalls) {
    if (!call.names.includes(name)) continue;
    const fits = (call.args ?? []).every(({ value, valueTwo = 0, op }) => {
      if (op === 'SCMP_CMP_NE') return argument !== value;
      if (op === 'SCMP_CMP_EQ') return argument === value;
      return (BigInt(argument) & BigInt(value)) === BigInt(valueTwo);
    });
    if (fits) return call.errnoRet === undefined ? call.action : `${call.action} ${call.errnoRet}`;
  }
  return `${filter.defaultAction} ${filter.defaultErrnoRet ?? ''}`;
}
const ALLOWED = 'SCMP_ACT_ALLOW';
const REFUSED = 'SCMP_ACT_ERRNO 1';

describe('the default profile', () => {
  it.each(['read', 'execve', 'futex_time64', 'openat2', 'ptrace', 'memfd_create', 'landlock_create_ruleset', 'fchmodat2', 'rseq', 'statx', 'capset', 'seccomp', 'recvmmsg_time64'])('lets everyone call %s', (name) => {
    expect(verdict(facts(), name)).toBe(ALLOWED);
  });

  it.each(['keyctl', 'add_key', 'request_key', 'kexec_load', 'swapon', 'pivot_root', 'userfaultfd', 'io_uring_setup', 'move_pages', 'uselib', 'vm86', 'nonsense'])('lets nobody call %s', (name) => {
    expect(verdict(facts(['CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_PTRACE']), name)).toBe(REFUSED);
  });

  it.each([
    ['mount', 'CAP_SYS_ADMIN'], ['unshare', 'CAP_SYS_ADMIN'], ['setns', 'CAP_SYS_ADMIN'], ['bpf', 'CAP_BPF'], ['reboot', 'CAP_SYS_BOOT'], ['init_module', 'CAP_SYS_MODULE'], ['settimeofday', 'CAP_SYS_TIME'],
    ['clock_settime64', 'CAP_SYS_TIME'], ['iopl', 'CAP_SYS_RAWIO'], ['chroot', 'CAP_SYS_CHROOT'], ['open_by_handle_at', 'CAP_DAC_READ_SEARCH'], ['mbind', 'CAP_SYS_NICE'], ['syslog', 'CAP_SYSLOG'],
    ['kcmp', 'CAP_SYS_PTRACE'], ['acct', 'CAP_SYS_PACCT'], ['vhangup', 'CAP_SYS_TTY_CONFIG'], ['perf_event_open', 'CAP_PERFMON'],
  ])('lets only some call %s', (name, capability) => {
    expect(verdict(facts(), name)).toBe(REFUSED);
    expect(verdict(facts(['CAP_CHOWN', capability]), name)).toBe(ALLOWED);
  });

  it('lets clone make processes and threads, and namespaces only with CAP_SYS_ADMIN', () => {
    const [SIGCHLD, CLONE_THREADS, CLONE_NEWUSER, CLONE_NEWNS] = [17, 0x3d0f00, 0x10000000, 0x20000];
    expect(verdict(facts(), 'clone', SIGCHLD)).toBe(ALLOWED);
    expect(verdict(facts(), 'clone', CLONE_THREADS)).toBe(ALLOWED);
    for (const flag of [CLONE_NEWUSER, CLONE_NEWNS]) {
      expect(verdict(facts(), 'clone', SIGCHLD + flag)).toBe(REFUSED);
      expect(verdict(facts(['CAP_SYS_ADMIN']), 'clone', SIGCHLD + flag)).toBe(ALLOWED);
    }
    expect(verdict(facts(), 'clone3')).toBe('SCMP_ACT_ERRNO 38');
    expect(verdict(facts(['CAP_SYS_ADMIN']), 'clone3')).toBe(ALLOWED);
  });

  it('looks at what personality and socket are asked for', () => {
    const [PER_LINUX32, ADDR_NO_RANDOMIZE, AF_INET, AF_VSOCK] = [8, 0x40000, 2, 40];
    expect([0, PER_LINUX32, 0xffffffff].map((value) => verdict(facts(), 'personality', value))).toEqual([ALLOWED, ALLOWED, ALLOWED]);
    expect(verdict(facts(), 'personality', ADDR_NO_RANDOMIZE)).toBe(REFUSED);
    expect(verdict(facts(), 'socket', AF_INET)).toBe(ALLOWED);
    expect(verdict(facts(), 'socket', AF_VSOCK)).toBe(REFUSED);
  });

  it('covers the ABIs that an architecture runs beside its own', () => {
    const architectures = ['amd64', 'arm64', 'arm', '386'].map((architecture) => resolveProfile(DEFAULT_PROFILE, facts([], architecture)).architectures);
    expect(architectures).toEqual([['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'], ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'], ['SCMP_ARCH_ARM'], ['SCMP_ARCH_X86']]);
    expect(['amd64', 'arm64', 'arm', '386'].map((architecture) => verdict(facts([], architecture), 'modify_ldt'))).toEqual([ALLOWED, REFUSED, REFUSED, ALLOWED]);
    expect(['amd64', 'arm64', 'arm', '386'].map((architecture) => verdict(facts([], architecture), 'cacheflush'))).toEqual([REFUSED, ALLOWED, ALLOWED, REFUSED]);
  });
});

describe('a profile of the user', () => {
  it('is resolved by capabilities, architecture and kernel', () => {
    const profile = parseProfile(JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: null }],
      syscalls: [
        { name: 'mkdir', action: 'SCMP_ACT_ERRNO', args: null },
        { names: ['a'], action: 'SCMP_ACT_ERRNO', includes: { minKernel: '6.2' } },
        { names: ['b'], action: 'SCMP_ACT_ERRNO', excludes: { arches: ['amd64'] } },
        { names: ['c'], action: 'SCMP_ACT_TRAP', excludes: { caps: ['CAP_BPF'] }, errnoRet: 3 },
      ],
    }));
    expect(resolveProfile(profile, facts())).toEqual({
      defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }, { names: ['c'], action: 'SCMP_ACT_TRAP', errnoRet: 3 }],
    });
  });

  it.each([
    ['nonsense', 'not JSON'], ['[]', 'not an object'], ['{"defaultAction":1}', 'defaultAction'], ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', 'syscalls is not a list'],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_LOG"}]}', 'names no system call'], ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","action":"x"}]}', 'unknown action'],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_LOG"}]}', "either 'name' or 'names'"],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","action":"SCMP_ACT_LOG","args":[{"index":0,"op":"?"}]}]}', 'malformed argument'],
  ])('is refused: %s', (text, reason) => {
    expect(() => parseProfile(text)).toThrow(reason);
  });
});

describe('a profile without one request of ioctl', () => {
  const without = refuseIoctl(DEFAULT_PROFILE, 0x1277);

  it('refuses it, and nothing else', () => {
    expect(verdict(facts(), 'ioctl', 0x1277, without)).toBe(REFUSED);
    expect(verdict(facts(), 'ioctl', 0x1276, without)).toBe(ALLOWED);
    expect(resolveProfile(without, facts()).syscalls.filter(({ names }) => names.includes('ioctl')).map(({ args }) => args)).toEqual([[{ index: 1, value: 0x1277, op: 'SCMP_CMP_NE' }]]);
    for (const name of ['read', 'openat2', 'keyctl', 'clone']) expect(verdict(facts(), name, 0, without)).toBe(verdict(facts(), name));
  });

  it('is one that the API takes', () => expect(parseProfile(JSON.stringify(without))).toEqual(without));
});
