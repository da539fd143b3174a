import type { EventBus } from '../events/index.ts';
import type { ImageStore, LayerStore } from '../images/index.ts';
import type { NameServers, Networks, DnsSettings } from '../network/index.ts';
import type { System } from '../ports/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Paths } from '../store/index.ts';
import type { VolumeStore } from '../volumes/index.ts';
import type { Container, ContainerCollection } from './collection.ts';
import type { RootfsStore } from './rootfs.ts';

/** Everything that a container's life touches. */
export interface ContainerContext {
  system: System;
  paths: Paths;
  images: ImageStore;
  layers: LayerStore;
  volumes: VolumeStore;
  networks: Networks;
  nameServers: NameServers;
  runtime: Runtime;
  events: EventBus;
  collection: ContainerCollection;
  rootfs: RootfsStore;
  execs: Map<string, ExecSession>;
  dns: DnsSettings;
  cgroupVersion: 1 | 2;
  /** Whether the kernel can limit swap space. */
  swapLimits: boolean;
  /** Whether the kernel can filter system calls. */
  seccomp: boolean;
  /** Bounding set of the daemon itself. */
  capabilities: bigint;
  /** What follows from an end or a failed start; apart, because it starts and removes containers in its turn. */
  life: ContainerLife;
  /** True once the daemon goes down: nothing is started again. */
  stopping(): boolean;
}

export interface ContainerLife {
  ended(container: Container): void;
  startFailed(container: Container): void;
}

export interface ExecConfig {
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  privileged: boolean;
  user: string;
  workingDir: string;
  env: string[];
  argv: string[];
  detachKeys: string;
}

export interface ExecSession {
  id: string;
  containerId: string;
  config: ExecConfig;
  status: 'created' | 'running' | 'ended';
  pid: number;
  exitCode: number | null;
}

export function nowIso(context: ContainerContext): string {
  return new Date(context.system.clock.now()).toISOString().replace('Z', '000000Z');
}

export function bundleFolder(context: ContainerContext, id: string): string {
  return `${context.paths.bundles}/${id}`;
}

export function emit(context: ContainerContext, container: Container, action: string, extra: Record<string, string> = {}): void {
  const { record } = container;
  context.events.emit('container', action, container.id, { ...record.config.Labels, image: record.imageName, name: record.name, ...extra });
}
