import type { LogLevel } from '../ports/index.ts';

/** Everything that flags and daemon.json can say, with every default filled in. */
export interface DaemonSettings {
  hosts: string[];
  /** Of TCP sockets: files of PEM, '' when not given. Neither on nor verify said: TCP sockets are refused. */
  tls: { on?: boolean; verify?: boolean; authority: string; certificate: string; key: string };
  group: string;
  dataRoot: string;
  /** Data root of another engine whose layers deltas may be applied to; '' for none. */
  deltaDataRoot: string;
  execRoot: string;
  pidFile: string;
  configFile: string;
  logLevel: LogLevel;
  bridge: string;
  bridgeAddress: string;
  mtu: number | undefined;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  ipForward: boolean;
  ipMasquerade: boolean;
  labels: string[];
  insecureRegistries: string[];
  registryMirrors: string[];
  /** For pulls: where they are not given, the environment's. */
  proxies: { http: string; https: string; exceptions: string };
  /** Containers go on when the daemon stops. */
  liveRestore: boolean;
  shutdownTimeoutS: number;
  crun: string;
  conmon: string;
  nft: string;
  /** ISO time. */
  startedAt: string;
}

export const DEFAULTS: Omit<DaemonSettings, 'startedAt'> = {
  hosts: [],
  tls: { authority: '', certificate: '', key: '' },
  group: 'docker',
  dataRoot: '/var/lib/minke',
  deltaDataRoot: '',
  execRoot: '/run/minke',
  pidFile: '/run/minke.pid',
  configFile: '/etc/minke/daemon.json',
  logLevel: 'info',
  bridge: 'minke0',
  bridgeAddress: '10.114.101.1/24',
  mtu: undefined,
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  ipForward: true,
  ipMasquerade: true,
  labels: [],
  insecureRegistries: [],
  registryMirrors: [],
  proxies: { http: '', https: '', exceptions: '' },
  liveRestore: true,
  shutdownTimeoutS: 15,
  crun: 'crun',
  conmon: 'conmon',
  nft: 'nft',
};

export const DEFAULT_HOST = 'unix:///run/minke.sock';
