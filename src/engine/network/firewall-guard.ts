import { messageOf, systemErrorCode } from '../error.ts';
import type { System } from '../ports/index.ts';
import { hasTable } from './firewall.ts';

/** Changes come in bursts; whoever flushes usually loads rules of their own right behind. */
const SETTLE_MS = 300;

/**
 * Puts our table back when somebody takes it away while the daemon runs ('nft flush ruleset', a restart of nftables.service): the kernel
 * tells of every change of the ruleset, so nothing is polled.
 */
export function guardFirewall({ netlink, clock, reporter }: System, table: string, ipv6: () => boolean, restore: () => Promise<void>): void {
  const check = async (): Promise<void> => {
    try {
      if (hasTable(netlink, 'ip', table) && (!ipv6() || hasTable(netlink, 'ip6', table))) return;
      reporter.log('warn', 'somebody removed the firewall rules of the networks; they are put back', { table });
      await restore();
    } catch (error) {
      reporter.log('error', 'the firewall rules could not be checked', { table, error: messageOf(error) });
    }
  };
  let waiting = false;
  const look = (): void => {
    if (waiting) return;
    waiting = true;
    clock.after(SETTLE_MS, () => {
      waiting = false;
      void check();
    });
  };
  const listen = async (): Promise<void> => {
    const events = netlink.netfilterEvents();
    for (;;) {
      try {
        await events.next();
      } catch (error) {
        // Too many at once for the socket's buffer: something changed.
        if (systemErrorCode(error) !== 'ENOBUFS') throw error;
      }
      look();
    }
  };
  listen().catch((error: unknown) => reporter.log('warn', 'firewall rules that somebody removes come back with the next start only', { error: messageOf(error) }));
}
