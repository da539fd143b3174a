import { EngineError, messageOf, systemErrorCode } from '../error.ts';
import { readToEnd, sleep, type Netlink, type Processes, type System } from '../ports/index.ts';
import { formatRuleset, type FirewallBridge, type PublishedPort } from './nft-ruleset.ts';
import { getTable, type NFPROTO } from './table-message.ts';

export interface Firewall {
  /** Resolves when rules with these ports are in force. */
  publish(owner: string, ports: readonly PublishedPort[]): Promise<void>;
  /** Resolves when they are gone, or nft could not be run for it: that is tried again until it can. */
  withdraw(owner: string): Promise<void>;
  /** Writes all rules anew, whatever the table holds. */
  restore(): Promise<void>;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 60_000;

/** Keeps the table in step with networks and published ports; changes that come while nft runs go together in its next run. */
export function createFirewall({ processes, netlink, clock, reporter }: Pick<System, 'processes' | 'netlink' | 'clock' | 'reporter'>, nft: string, table: string, bridges: () => readonly FirewallBridge[]): Firewall {
  const owners = new Map<string, readonly PublishedPort[]>();
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let retryMs = FIRST_RETRY_MS;
  let waiting = false;

  const write = (): Promise<void> => {
    const present = bridges();
    // Without IPv6 there may be no such tables in the kernel: one is named only to fill it, or to take away what was there.
    const ipv6 = present.some(({ subnet6 }) => subnet6 !== undefined) || hasTable(netlink, 'ip6', table);
    return runNft(processes, nft, formatRuleset({ table, bridges: present, published: [...owners.values()].flat(), ipv6 }));
  };
  const restore = (): Promise<void> => {
    if (running === undefined) {
      running = attempt().finally(() => {
        running = undefined;
      });
      return running;
    }
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return restore();
      });
    return next;
  };
  /** A killed nft leaves the table as it was before. */
  const tryLater = async (): Promise<void> => {
    if (waiting) return;
    waiting = true;
    await sleep(clock, retryMs);
    waiting = false;
    retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
    await restore().catch(() => undefined);
  };
  const attempt = async (): Promise<void> => {
    try {
      await write();
      retryMs = FIRST_RETRY_MS;
    } catch (error) {
      reporter.log('warn', 'the firewall rules are not in force; they are tried again', { error: messageOf(error), inMs: retryMs });
      void tryLater();
      throw error;
    }
  };

  return {
    restore,
    publish(owner, ports) {
      if (ports.length === 0) return Promise.resolve();
      owners.set(owner, ports);
      return restore();
    },
    withdraw(owner) {
      return owners.delete(owner) ? restore().catch(() => undefined) : Promise.resolve();
    },
  };
}

export function hasTable(netlink: Netlink, family: keyof typeof NFPROTO, table: string): boolean {
  try {
    netlink.netfilter(getTable(1, family, table));
    return true;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || (family === 'ip6' && code !== 'EPERM')) return false;
    throw error;
  }
}

/** Runs a script, in the network namespace of a process if one is named. */
export async function runNft(processes: Processes, nft: string, script: string, networkOfPid?: number): Promise<void> {
  const child = processes.spawn({ argv: [nft, '-f', '-'], env: {}, stdio: ['pipe-in', 'null', 'pipe-out'], ...(networkOfPid === undefined ? {} : { networkOfPid }) });
  const [input, , output] = child.streams;
  await input?.write(script).catch(() => undefined);
  input?.close();
  const complaint = await readToEnd(output);
  output?.close();
  const code = await child.wait();
  if (code === 0) return;
  throw new EngineError('internal', 'FIREWALL_REFUSED', `nft could not install the firewall rules: ${complaint.trim().split('\n')[0] ?? ''}`, {
    hint: 'the kernel needs nf_tables with nat, masquerade and fib expressions',
  });
}
