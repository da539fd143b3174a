import type { ContainerConfig, EndpointRequest, HostConfig } from './config.ts';
import type { HealthState } from './health.ts';
import type { PortLease } from '../network/index.ts';

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
}

export interface EndpointState {
  network: string;
  /** '' where there is none. */
  address: string;
  mac: string;
  ports: PortLease[];
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
