import type { ContainerConfig, EndpointRequest, HostConfig } from './config.ts';
import type { HealthState } from './health.ts';
import { DEFAULT_BRIDGE_ID, type PortLease } from '../network/index.ts';

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerState {
  status: ContainerStatus;
  /** 0 unless running. */
  pid: number;
  conmonPid: number;
  exitCode: number;
  oomKilled: boolean;
  error: string;
  /** ISO times; Docker's zero time when it never happened. */
  startedAt: string;
  finishedAt: string;
  restartCount: number;
  /** Stopped by a user: 'unless-stopped' and the back-off leave it alone. */
  stoppedByUser: boolean;
  /** Ended because the daemon or the whole system went down: it ran until then. */
  endedWithSystem?: true;
  /** Missing without a health check. Its log is written when the status changes, not at every check. */
  health?: HealthState;
}

export interface MountPoint {
  type: 'bind' | 'volume' | 'tmpfs';
  /** Volume's name, for volumes. */
  name: string;
  source: string;
  destination: string;
  readOnly: boolean;
  propagation: string;
  /** As the user gave it ('ro,z'). */
  mode: string;
  /** Made for this container alone, goes with it. */
  anonymous: boolean;
  tmpfsOptions: string;
  /** Path within the volume; `source` is the whole volume. */
  subpath?: string;
}

export interface EndpointState {
  /** 'bridge', 'host', 'none', 'container:…', or the name or id of a network. */
  network: string;
  ports: PortLease[];
}

/** A bridge network that the container is on whenever it runs. */
export interface Attachment {
  networkId: string;
  endpointId: string;
  /** Of the interface in the container: 'eth0'. */
  insideName: string;
  /** '' for any. */
  wantedAddress: string;
  /** Kept, but without effect, on a network without IPv6. */
  wantedAddress6?: string;
  wantedMac: string;
  aliases: string[];
  /** See EndpointRequest. */
  links?: string[];
  /** Of no meaning to a bridge; clients read them back. */
  driverOptions?: Record<string, string>;
  /** IPv4 addresses of 169.254.0.0/16 that the interface has too. */
  linkLocalAddresses?: string[];
  /** What it has, or had when it last ran; '' before. */
  address: string;
  /** Missing without IPv6. */
  address6?: string;
  mac: string;
}

/** Everything about a container that outlives the daemon: containers/<id>/container.json. */
export interface ContainerRecord {
  id: string;
  /** Without Docker's leading slash. */
  name: string;
  created: string;
  imageId: string;
  /** What the user called the image. */
  imageName: string;
  diffIds: readonly string[];
  config: ContainerConfig;
  hostConfig: HostConfig;
  endpoints: Record<string, EndpointRequest>;
  mounts: MountPoint[];
  /** Path and arguments after entrypoint and command were put together. */
  argv: string[];
  endpoint: EndpointState;
  /** The one that the network mode names first. */
  attachments: Attachment[];
  state: ContainerState;
}

export const ZERO_TIME = '0001-01-01T00:00:00Z';

export function initialState(): ContainerState {
  return {
    status: 'created', pid: 0, conmonPid: 0, exitCode: 0, oomKilled: false, error: '',
    startedAt: ZERO_TIME, finishedAt: ZERO_TIME, restartCount: 0, stoppedByUser: false,
  };
}

export function isLive(state: ContainerState): boolean {
  return state.status === 'running' || state.status === 'paused';
}

/** Records of engines that knew one network only name their address elsewhere. */
export function upgradeRecord(record: ContainerRecord): ContainerRecord {
  if ((record.attachments as Attachment[] | undefined) !== undefined) return record;
  const old = record.endpoint as EndpointState & { address?: string; mac?: string };
  const bridged = old.network === 'bridge';
  const attachment: Attachment = {
    networkId: DEFAULT_BRIDGE_ID, endpointId: record.id, insideName: 'eth0', wantedAddress: '', wantedMac: '', aliases: [], address: old.address ?? '', mac: old.mac ?? '',
  };
  return { ...record, endpoint: { network: old.network, ports: old.ports }, attachments: bridged ? [attachment] : [] };
}
