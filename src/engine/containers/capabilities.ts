import { EngineError } from '../error.ts';

/** What a container may by default, as Docker has it. */
const DEFAULT = [
  'AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'NET_RAW', 'SETFCAP', 'SETGID', 'SETPCAP',
  'SETUID', 'SYS_CHROOT',
];

/** All of Linux 5.9 and later, in the kernel's order. */
const ALL = [
  'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'LINUX_IMMUTABLE', 'NET_BIND_SERVICE',
  'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER', 'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN',
  'SYS_BOOT', 'SYS_NICE', 'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP', 'MAC_OVERRIDE',
  'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF', 'CHECKPOINT_RESTORE',
];

/**
 * The capabilities of a container, as 'CAP_…', sorted. `available` is the engine's own bounding set as a bit mask: what the engine
 * does not have it cannot give.
 */
export function containerCapabilities(privileged: boolean, add: readonly string[], drop: readonly string[], available: bigint): string[] {
  const added = add.map(normalize);
  const dropped = drop.map(normalize);
  const base = privileged || added.includes('ALL') ? ALL : dropped.includes('ALL') ? [] : DEFAULT;
  const wanted = new Set(base);
  for (const name of added) if (name !== 'ALL') wanted.add(name);
  if (!privileged) for (const name of dropped) if (name !== 'ALL' && !(dropped.includes('ALL') && added.includes(name))) wanted.delete(name);
  return ALL.filter((name, bit) => wanted.has(name) && ((available >> BigInt(bit)) & 1n) === 1n)
    .map((name) => `CAP_${name}`)
    .sort();
}

/** The bounding set in /proc/self/status. */
export function parseBoundingSet(status: string): bigint {
  const match = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status);
  return match?.[1] === undefined ? (1n << BigInt(ALL.length)) - 1n : BigInt(`0x${match[1]}`);
}

function normalize(name: string): string {
  const upper = name.toUpperCase().replace(/^CAP_/, '');
  if (upper !== 'ALL' && !ALL.includes(upper)) throw new EngineError('invalid', 'CAPABILITY_UNKNOWN', `invalid CapAdd: unknown capability: "CAP_${upper}"`);
  return upper;
}
