import type { DeviceConfig } from './device-config.ts';
import { pemOf } from './pem.ts';

type Vpn = NonNullable<DeviceConfig['vpn']>;

/** What `vpn` of config.json is for OpenVPN: client.conf, and the file with name and password that it names, in a folder. They hold secrets. */
export function vpnFiles(vpn: Vpn, folder: string): { path: string; text: string }[] {
  const { server, port = 1194, protocol = 'udp', serverName, ca, certificate, key, uuid, apiKey, tlsCrypt } = vpn;
  const login = `${folder}/login`;
  const inline = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [`<${name}>`, pem(value), `</${name}>`]);
  const lines = [
    'client',
    'dev tun',
    `proto ${protocol}`,
    `remote ${server} ${port}`,
    'nobind',
    'persist-tun',
    'persist-key',
    // A server that vanished without a word is noticed, whether it says so itself or not.
    'keepalive 30 180',
    'remote-cert-tls server',
    'tls-version-min 1.2',
    'auth-nocache',
    ...(serverName === undefined ? [] : [`verify-x509-name ${serverName} name`]),
    ...(uuid === undefined ? [] : [`auth-user-pass ${login}`]),
    ...inline('ca', ca),
    ...inline('cert', certificate),
    ...inline('key', key),
    ...inline('tls-crypt', tlsCrypt),
  ];
  return [
    ...(uuid === undefined || apiKey === undefined ? [] : [{ path: login, text: `${uuid}\n${apiKey}\n` }]),
    { path: `${folder}/client.conf`, text: `${lines.join('\n')}\n` },
  ];
}

/** What cannot be read stays, and OpenVPN says what it thinks of it. */
const pem = (value: string): string => (pemOf(value) ?? value).replaceAll('\r', '').trim();
