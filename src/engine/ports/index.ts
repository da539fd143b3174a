// Purpose: what the engine needs from the system, as interfaces.
// Owns: the shapes of files, processes, sockets, netlink, clock and machine facts.
// Must not: do anything, or import an implementation.
import type { Clock } from './clock.ts';
import type { Files } from './files.ts';
import type { Machine } from './machine.ts';
import type { Netlink } from './netlink.ts';
import type { Processes } from './processes.ts';
import type { Reporter } from './reporter.ts';
import type { Sockets } from './sockets.ts';

export * from './cancellation.ts';
export * from './clock.ts';
export * from './files.ts';
export * from './machine.ts';
export * from './netlink.ts';
export * from './processes.ts';
export * from './reporter.ts';
export * from './sockets.ts';
export * from './streams.ts';

export interface System {
  files: Files;
  processes: Processes;
  sockets: Sockets;
  netlink: Netlink;
  clock: Clock;
  machine: Machine;
  reporter: Reporter;
}
