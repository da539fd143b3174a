// Purpose: the ports, implemented on the native host.
// Owns: the mapping from ports to host:* modules.
// Must not: decide anything.
import { randomHex } from 'host:crypto';
import { netlink, type Netlink as NetlinkSocket } from 'host:net';
import { architecture, architectureVariant, executablePath, log, sysconf, uname } from 'host:process';
import { clearTimeout, monotonicMs, setTimeout } from 'host:timers';
import type { LogLevel, Reporter, System } from '../ports/index.ts';
import { hostFiles } from './files.ts';
import { hostProcesses } from './processes.ts';
import { hostSockets } from './sockets.ts';

export { clearStaleSocket } from './sockets.ts';

const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
/** NFNLGRP_NFTABLES (7) as a bit. */
const NFTABLES_GROUP = 1 << 6;
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'fatal'];

export function hostReporter(minimum: LogLevel): Reporter {
  const threshold = LEVELS.indexOf(minimum);
  return {
    log(level, message, fields = {}) {
      if (LEVELS.indexOf(level) < threshold) return;
      const details = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
      log(`time=${new Date().toISOString()} level=${level} msg=${JSON.stringify(message)}${details.join('')}`);
    },
  };
}

function once(socket: NetlinkSocket, messages: Uint8Array): Uint8Array[] {
  try {
    return socket.request(messages);
  } finally {
    socket.close();
  }
}

export function hostSystem(reporter: Reporter): System {
  return {
    files: hostFiles,
    processes: hostProcesses,
    sockets: hostSockets,
    reporter,
    netlink: {
      request(messages, namespaceOfPid) {
        return once(netlink(NETLINK_ROUTE, namespaceOfPid === undefined ? {} : { netns: `/proc/${namespaceOfPid}/ns/net` }), messages);
      },
      netfilter: (messages) => once(netlink(NETLINK_NETFILTER), messages),
      netfilterEvents() {
        const socket = netlink(NETLINK_NETFILTER, { groups: NFTABLES_GROUP });
        return { next: () => socket.receive() };
      },
    },
    clock: {
      now: () => Date.now(),
      monotonicMs,
      after(delayMs, callback) {
        const id = setTimeout(callback, delayMs);
        return () => clearTimeout(id);
      },
    },
    machine: {
      kernelVersion: () => uname().release,
      hostname: () => uname().nodename,
      architecture,
      architectureVariant,
      machineName: () => uname().machine,
      processorCount: () => sysconf().processors,
      memoryBytes: () => sysconf().totalMemoryBytes,
      executablePath,
      randomHex,
    },
  };
}
