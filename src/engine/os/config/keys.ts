// Generated from src/config/schemas/config.schema.json by src/config/generate-device-keys.mjs: edit the schema.
import type { ObjectKeys } from './read.ts';

/** Every key of config.json. */
export const CONFIG_KEYS: ObjectKeys = {
  type: 'object',
  keys: {
    $schema: { type: 'string' },
    hostname: { type: 'string', pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', complaint: 'not a host name of small letters, digits and dashes' },
    developmentMode: { type: 'boolean' },
    persistentLogging: { type: 'boolean' },
    country: { type: 'string', pattern: '^[A-Z]{2}$', complaint: 'not a country of two capital letters' },
    ntpServers: { type: 'array', maxItems: 16, items: { type: 'string', pattern: '^[A-Za-z0-9]([A-Za-z0-9:.-]{0,251}[A-Za-z0-9])?$', complaint: 'not a host name or address' } },
    dnsServers: { type: 'array', maxItems: 16, items: { type: 'string', pattern: '^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|([0-9A-Fa-f]{1,4}:){1,7}:|([0-9A-Fa-f]{1,4}:){1,6}:[0-9A-Fa-f]{1,4}|([0-9A-Fa-f]{1,4}:){1,5}(:[0-9A-Fa-f]{1,4}){1,2}|([0-9A-Fa-f]{1,4}:){1,4}(:[0-9A-Fa-f]{1,4}){1,3}|([0-9A-Fa-f]{1,4}:){1,3}(:[0-9A-Fa-f]{1,4}){1,4}|([0-9A-Fa-f]{1,4}:){1,2}(:[0-9A-Fa-f]{1,4}){1,5}|[0-9A-Fa-f]{1,4}:(:[0-9A-Fa-f]{1,4}){1,6}|:((:[0-9A-Fa-f]{1,4}){1,7}|:))$', complaint: 'not an address of IPv4 or IPv6' } },
    rootCA: { type: 'string', pattern: '^(LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t|\\s*-----BEGIN CERTIFICATE-----)[A-Za-z0-9+/=\\s-]+$', maxLength: 65536, complaint: 'not a certificate in PEM, nor one in base64' },
    proxy: {
      type: 'object',
      keys: {
        http: { type: 'string', pattern: '^http://(([A-Za-z0-9._~!*+,;=:-]|%[0-9A-Fa-f]{2})+@)?([A-Za-z0-9.-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?/?$', complaint: 'not an address such as http://proxy.example:3128' },
        https: { type: 'string', pattern: '^http://(([A-Za-z0-9._~!*+,;=:-]|%[0-9A-Fa-f]{2})+@)?([A-Za-z0-9.-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?/?$', complaint: 'not an address such as http://proxy.example:3128' },
        exceptions: { type: 'array', maxItems: 64, items: { type: 'string', pattern: '^[A-Za-z0-9.*:/_\\[\\]-]{1,255}$', complaint: 'not a host name, domain, address or range' } },
      },
    },
    vpn: {
      type: 'object',
      keys: {
        server: { type: 'string', pattern: '^([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39})$', complaint: 'not a host name or address' },
        port: { type: 'integer', minimum: 1, maximum: 65535 },
        protocol: { type: 'string', enum: ['udp', 'tcp'] },
        serverName: { type: 'string', pattern: '^[A-Za-z0-9*._@-]{1,255}$', complaint: 'not a name' },
        ca: { type: 'string', pattern: '^(LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t|\\s*-----BEGIN CERTIFICATE-----)[A-Za-z0-9+/=\\s-]+$', maxLength: 65536, complaint: 'not a certificate in PEM, nor one in base64' },
        certificate: { type: 'string', pattern: '^(LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t|\\s*-----BEGIN CERTIFICATE-----)[A-Za-z0-9+/=\\s-]+$', maxLength: 65536, complaint: 'not a certificate in PEM, nor one in base64' },
        key: { type: 'string', pattern: '^(LS0tLS1CRUdJTi|\\s*(#[^\\n]*\\n\\s*)*-----BEGIN (([A-Z]+ )?PRIVATE KEY|OpenVPN Static key V1)-----\\s)[A-Za-z0-9+/=\\s-]+$', maxLength: 65536, complaint: 'not a key in PEM, nor one in base64' },
        uuid: { type: 'string', pattern: '^[A-Za-z0-9._@-]{1,64}$', complaint: 'not a word of letters and digits' },
        apiKey: { type: 'string', pattern: '^[!-~]{1,127}$', complaint: 'not a word of ASCII text' },
        tlsCrypt: { type: 'string', pattern: '^(LS0tLS1CRUdJTi|\\s*(#[^\\n]*\\n\\s*)*-----BEGIN (([A-Z]+ )?PRIVATE KEY|OpenVPN Static key V1)-----\\s)[A-Za-z0-9+/=\\s-]+$', maxLength: 65536, complaint: 'not a key in PEM, nor one in base64' },
      },
      required: ['server', 'ca'],
      anyOf: ['certificate', 'uuid'],
      dependencies: {
        certificate: ['key'],
        key: ['certificate'],
        uuid: ['apiKey'],
        apiKey: ['uuid'],
      },
    },
    registries: {
      type: 'object',
      keys: {
        mirrors: { type: 'array', maxItems: 16, items: { type: 'string', pattern: '^https?://[^/?#@\\s]+/?$', complaint: 'not an address such as https://mirror.example' } },
        insecure: { type: 'array', maxItems: 64, items: { type: 'string', pattern: '^[A-Za-z0-9.:/_\\[\\]-]{1,255}$', complaint: 'not a host, host:port or range' } },
      },
    },
    engine: {
      type: 'object',
      keys: {
        'log-level': { type: 'string', enum: ['debug', 'info', 'warn', 'error', 'fatal'] },
        mtu: { type: 'integer', minimum: 576, maximum: 65535 },
        'dns-search': { type: 'array', maxItems: 16, items: { type: 'string', pattern: '^[!-~]{1,255}$', complaint: 'not a word of ASCII text' } },
        'dns-opts': { type: 'array', maxItems: 16, items: { type: 'string', pattern: '^[!-~]{1,255}$', complaint: 'not a word of ASCII text' } },
        labels: { type: 'array', maxItems: 64, items: { type: 'string', pattern: '^[!-~]{1,255}$', complaint: 'not a word of ASCII text' } },
        'live-restore': { type: 'boolean' },
        'shutdown-timeout': { type: 'integer', minimum: 0, maximum: 3600 },
      },
    },
    os: {
      type: 'object',
      keys: {
        sshKeys: { type: 'array', items: { type: 'string', pattern: '^(ssh-(rsa|ed25519)|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+( [^\\n\\r]*)?$', complaint: 'not a public key' } },
        network: {
          type: 'object',
          keys: {
            wifi: {
              type: 'object',
              keys: {
                randomMacAddressScan: { type: 'boolean' },
              },
            },
            connectivity: {
              type: 'object',
              keys: {
                uri: { type: 'string', pattern: '^https?://[!-~]{1,1000}$', complaint: 'not an address such as http://check.example/' },
                interval: { type: 'integer', minimum: 10, maximum: 86400 },
                response: { type: 'string', pattern: '^[ -~]*$', maxLength: 200, complaint: 'not a line of ASCII text' },
              },
            },
          },
        },
        udevRules: {
          type: 'object',
          keys: {},
          names: '^[0-9]{2}[0-9A-Za-z_-]{0,60}$',
          values: { type: 'string', pattern: '^[^\\u0000]*$', maxLength: 65536, complaint: 'not text' },
          complaint: 'not a name that begins with two digits, such as 56-modem',
        },
        watchdog: {
          type: 'object',
          keys: {
            enabled: { type: 'boolean' },
            seconds: { type: 'integer', minimum: 10, maximum: 3600 },
          },
        },
        firewall: {
          type: 'object',
          keys: {
            enabled: { type: 'boolean' },
            allow: { type: 'array', maxItems: 256, items: { type: 'string', pattern: '^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])(-([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?/(tcp|udp)$', complaint: 'not a port with its protocol, such as 80/tcp or 5000-5010/udp' } },
          },
        },
        updates: {
          type: 'object',
          keys: {
            lockMinutes: { type: 'integer', minimum: 0, maximum: 10080 },
            usb: { type: 'boolean' },
          },
        },
        deviceTree: {
          type: 'object',
          keys: {
            overlays: { type: 'array', maxItems: 8, items: { type: 'string', pattern: '^(?!.*\\.dtbo$)[A-Za-z0-9][A-Za-z0-9,._-]{0,39}$', complaint: 'not the name of a file in overlays/ without its .dtbo: letters, digits, commas, dots, dashes, at most 40' } },
          },
        },
        journal: {
          type: 'object',
          keys: {
            memoryMegabytes: { type: 'integer', minimum: 4, maximum: 1024 },
            diskMegabytes: { type: 'integer', minimum: 8, maximum: 102400 },
          },
        },
      },
    },
  },
};
