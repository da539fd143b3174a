/** config.json, checked. Its keys are described in src/config/schemas/config.schema.json; a test holds the two together. */
export interface DeviceConfig {
  hostname?: string;
  developmentMode?: boolean;
  persistentLogging?: boolean;
  country?: string;
  ntpServers?: string[];
  dnsServers?: string[];
  rootCA?: string;
  proxy?: { http?: string; https?: string; exceptions?: string[] };
  vpn?: { server: string; port?: number; protocol?: 'udp' | 'tcp'; serverName?: string; ca: string; certificate?: string; key?: string; uuid?: string; apiKey?: string; tlsCrypt?: string };
  registries?: { mirrors?: string[]; insecure?: string[] };
  engine?: Record<string, string | number | boolean | string[]>;
  os?: {
    sshKeys?: string[];
    network?: { wifi?: { randomMacAddressScan?: boolean }; connectivity?: { uri?: string; interval?: number; response?: string } };
    udevRules?: Record<string, string>;
    watchdog?: { enabled?: boolean; seconds?: number };
    firewall?: { enabled?: boolean; allow?: string[] };
    updates?: { lockMinutes?: number; usb?: boolean };
    deviceTree?: { overlays?: string[] };
    journal?: { memoryMegabytes?: number; diskMegabytes?: number };
  };
}
