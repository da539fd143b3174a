import type { DeviceConfig } from './device-config.ts';
import { certificatesOf } from './certificates.ts';
import { firewallRules } from './firewall.ts';
import type { Step } from './steps.ts';
import { vpnFiles } from './vpn.ts';

/** What is true of this device besides its configuration. */
export interface Facts {
  machineId: string;
  /** Whether the image was built for development. */
  developmentImage: boolean;
  /** From `readConfig`. */
  asksForKeys: boolean;
  /** Text of the daemon.json that replaces /etc/minke/daemon.json for the engine. */
  engineSettings: string;
}

export interface Output {
  path: string;
  text: string;
  /** 0644 without it. */
  permissions?: number;
}

/** One concern of config.json: the files that it becomes, and what has to be done for them to count. */
export interface Renderer {
  name: string;
  outputs(config: DeviceConfig, facts: Facts): Output[];
  /** At the start of the system, before most services: done when there is an output. */
  early: readonly Step[];
  /** Later, when an output has changed. */
  changed: readonly Step[];
}

/** Made anew at every start. */
export const RUN = '/run/minke-config';
const OWN = '50-minke-config.conf';

const restart = (unit: string): Step => ({ do: 'restart', unit });
const reloadRules: Step = { do: 'run', argv: ['udevadm', 'control', '--reload'] };
const lines = (...texts: (string | undefined)[]): string => texts.filter((text) => text !== undefined).map((text) => `${text}\n`).join('');
const only = (condition: boolean, output: Output): Output[] => (condition ? [output] : []);
const isDevelopment = ({ developmentMode }: DeviceConfig, { developmentImage }: Facts): boolean => developmentImage && developmentMode !== false;

/** For `minke os`, which reads it when it needs it. */
export const UPDATE_SETTINGS = `${RUN}/updates.json`;

/** Names of overlays, one a line. */
export const OVERLAYS = `${RUN}/overlays`;

export const RENDERERS: readonly Renderer[] = [
  {
    name: 'updates',
    outputs: ({ os }) => [
      ...only(os?.updates !== undefined, { path: UPDATE_SETTINGS, text: lines(JSON.stringify(os?.updates)) }),
      // A condition of minke-os-stick@.service.
      ...only(os?.updates?.usb === true, { path: `${RUN}/usb-updates`, text: '' }),
    ],
    early: [],
    changed: [],
  },
  {
    name: 'hostname',
    outputs: ({ hostname }, { machineId }) => [{ path: `${RUN}/hostname`, text: lines(hostname ?? `minke-${machineId.slice(0, 7)}`) }],
    early: [{ do: 'set-hostname', file: `${RUN}/hostname` }],
    changed: [{ do: 'set-hostname', file: `${RUN}/hostname` }, restart('avahi-daemon.service')],
  },
  {
    // Read by dropbear at every connection.
    name: 'ssh',
    outputs(config, facts) {
      const keys = config.os?.sshKeys ?? [];
      // A mistyped key must not open the door: without a password only when no key was asked for.
      const open = isDevelopment(config, facts) && keys.length === 0 && !facts.asksForKeys;
      return [
        { path: `${RUN}/ssh/authorized_keys`, text: lines(...keys), permissions: 0o600 },
        { path: `${RUN}/dropbear.env`, text: lines(`DROPBEAR_OPTIONS=${open ? '-B' : '-s'}`) },
      ];
    },
    early: [],
    changed: [],
  },
  {
    // Only an image built for development can be opened; config.json can close it, never open a production image.
    name: 'development',
    outputs: (config, facts) => only(isDevelopment(config, facts), { path: `${RUN}/development`, text: '' }),
    early: [{ do: 'root-password', marker: `${RUN}/development` }],
    changed: [{ do: 'root-password', marker: `${RUN}/development` }, { do: 'consoles', marker: `${RUN}/development` }],
  },
  {
    name: 'authorities',
    outputs({ rootCA }) {
      const text = rootCA === undefined ? '' : certificatesOf(rootCA);
      return only(text !== '', { path: `${RUN}/root-ca.crt`, text });
    },
    early: [{ do: 'trust', certificates: `${RUN}/root-ca.crt`, bundle: `${RUN}/ca-certificates.crt` }],
    changed: [{ do: 'trust', certificates: `${RUN}/root-ca.crt`, bundle: `${RUN}/ca-certificates.crt` }, restart('minke.service')],
  },
  {
    name: 'engine',
    outputs: (config, facts) => [
      { path: `${RUN}/daemon.json`, text: facts.engineSettings },
      {
        path: `${RUN}/engine.env`,
        text: lines(
          `MINKE_CONFIG_FILE=${RUN}/daemon.json`,
          `MINKE_DEVELOPMENT_OPTIONS=${isDevelopment(config, facts) ? '--host=tcp://0.0.0.0:2375 --tls=false' : ''}`,
        ),
      },
    ],
    early: [],
    changed: [restart('minke.service')],
  },
  {
    name: 'proxy',
    outputs({ proxy: { http, https, exceptions } = {} }) {
      const variable = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [name, name.toLowerCase()].map((form) => `${form}="${value}"`));
      const text = lines(...variable('HTTP_PROXY', http), ...variable('HTTPS_PROXY', https), ...variable('NO_PROXY', exceptions?.join(',')));
      // Addresses of proxies can hold passwords.
      return only(http !== undefined || https !== undefined, { path: `${RUN}/proxy.env`, text, permissions: 0o600 });
    },
    early: [],
    changed: [restart('minke.service')],
  },
  {
    name: 'vpn',
    // openvpn.path starts it when the file appears.
    outputs: ({ vpn }) => (vpn === undefined ? [] : vpnFiles(vpn, `${RUN}/openvpn`).map((file) => ({ ...file, permissions: 0o600 }))),
    early: [],
    changed: [restart('openvpn.service')],
  },
  {
    name: 'time',
    outputs({ ntpServers = [] }) {
      const own = ntpServers.map((server) => `server ${server} iburst`);
      return [{ path: `${RUN}/chrony/servers.sources`, text: lines(...(own.length > 0 ? own : ['pool pool.ntp.org iburst maxsources 4'])) }];
    },
    early: [],
    changed: [{ do: 'run', argv: ['chronyc', 'reload', 'sources'], onlyWith: '/run/chrony/chronyd.sock' }],
  },
  {
    name: 'dns',
    outputs: ({ dnsServers = [] }) => only(dnsServers.length > 0, { path: '/run/minke-dns/config.conf', text: lines(...dnsServers.map((server) => `server=${server}`)) }),
    early: [],
    changed: [restart('dnsmasq.service')],
  },
  {
    name: 'network',
    outputs({ os: { network: { wifi, connectivity } = {} } = {} }) {
      const random = wifi?.randomMacAddressScan;
      const text = lines(
        random === undefined ? undefined : `[device-minke-config]\nwifi.scan-rand-mac-address=${random ? 'yes' : 'no'}`,
        connectivity?.uri === undefined ? undefined : `[connectivity]\nenabled=true\nuri=${keyFile(connectivity.uri)}\ninterval=${connectivity.interval ?? 300}`,
        connectivity?.uri === undefined || connectivity.response === undefined ? undefined : `response=${keyFile(connectivity.response)}`,
      );
      return only(text !== '', { path: `/run/NetworkManager/conf.d/${OWN}`, text });
    },
    early: [],
    changed: [{ do: 'reload', unit: 'NetworkManager.service' }],
  },
  {
    name: 'firewall',
    outputs: (config, facts) => only(config.os?.firewall?.enabled === true, {
      path: `${RUN}/firewall.nft`, text: firewallRules(config.os?.firewall?.allow ?? [], { development: isDevelopment(config, facts) }),
    }),
    // Its unit has the file as a condition.
    early: [],
    changed: [{ do: 'restart', unit: 'minke-firewall.service', wanted: true }],
  },
  {
    name: 'country',
    // The rule is for radios that come later, the step for those that are there.
    outputs: ({ country }) => (country === undefined ? [] : [
      { path: `${RUN}/country`, text: lines(country) },
      { path: '/run/udev/rules.d/90-country-minke-config.rules', text: lines(`ACTION=="add", SUBSYSTEM=="ieee80211", RUN+="/usr/sbin/iw reg set ${country}"`) },
    ]),
    early: [reloadRules, { do: 'regulatory-domain', file: `${RUN}/country` }],
    changed: [reloadRules, { do: 'regulatory-domain', file: `${RUN}/country` }],
  },
  {
    name: 'udev',
    // The end of the name keeps rules of the system in their place.
    outputs: ({ os: { udevRules = {} } = {} }) => Object.entries(udevRules).map(([name, text]) => ({ path: `/run/udev/rules.d/${name}-minke-config.rules`, text: text.endsWith('\n') ? text : `${text}\n` })),
    early: [reloadRules, { do: 'run', argv: ['udevadm', 'trigger', '--type=devices', '--action=add'] }],
    changed: [reloadRules, { do: 'run', argv: ['udevadm', 'trigger', '--type=devices', '--action=change'] }],
  },
  {
    name: 'watchdog',
    outputs({ os: { watchdog: { enabled = true, seconds } = {} } = {} }) {
      const value = enabled ? seconds : 0;
      return only(value !== undefined, { path: `/run/systemd/system.conf.d/${OWN}`, text: lines('[Manager]', `RuntimeWatchdogSec=${value}`) });
    },
    // systemd reads its own settings again with its units'.
    early: [{ do: 'run', argv: ['systemctl', 'daemon-reload'] }],
    changed: [{ do: 'run', argv: ['systemctl', 'daemon-reload'] }],
  },
  {
    // Always a file: an overlay that was taken out is taken out of the loader's file as well, and be it at the start.
    name: 'device-tree',
    outputs: ({ os }) => [{ path: OVERLAYS, text: lines(...new Set(os?.deviceTree?.overlays)) }],
    early: [{ do: 'overlays', file: OVERLAYS }],
    changed: [{ do: 'overlays', file: OVERLAYS }],
  },
  {
    // Before its limits: journald cannot be asked for anything while it starts anew.
    name: 'journal-place',
    outputs: ({ persistentLogging }) => only(persistentLogging === true, { path: `${RUN}/persistent-logging`, text: '' }),
    early: [{ do: 'journal', marker: `${RUN}/persistent-logging` }],
    changed: [{ do: 'journal', marker: `${RUN}/persistent-logging` }],
  },
  {
    name: 'journal-limits',
    outputs({ os: { journal: { memoryMegabytes, diskMegabytes } = {} } = {} }) {
      const limit = (name: string, value: number | undefined): string | undefined => (value === undefined ? undefined : `${name}=${value}M`);
      const text = lines('[Journal]', limit('RuntimeMaxUse', memoryMegabytes), limit('SystemMaxUse', diskMegabytes));
      return only(memoryMegabytes !== undefined || diskMegabytes !== undefined, { path: `/run/systemd/journald.conf.d/${OWN}`, text });
    },
    early: [restart('systemd-journald.service')],
    changed: [restart('systemd-journald.service')],
  },
];

/** A value of a key file: blanks at its beginning and backslashes are written as escapes. */
const keyFile = (value: string): string => value.replaceAll('\\', '\\\\').replace(/^ /, '\\s');
