/** Virtual radios, in the kernel's order: who has them, and what for. */
export const radios = { board: 'wlan0', accessPoint: 'wlan1', refusing: 'wlan2', hotspot: 'wlan3', guest: 'wlan4' } as const;

export const passphrase = 'the right passphrase';
/** SSIDs. The board prefers the one that refuses it at first. */
export const networks = { accessPoint: 'Minke Test', refusing: 'Minke Refusing', hotspot: 'Minke Hotspot' } as const;
export const hotspotAddress = '198.18.3.1';

const client = (id: string, ssid: string, priority: number): string =>
  `[connection]\nid=${id}\ntype=wifi\ninterface-name=${radios.board}\nautoconnect-priority=${priority}\n[wifi]\nssid=${ssid}\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=${passphrase}\n[ipv4]\nmethod=auto\nnever-default=true\n[ipv6]\nmethod=disabled`;

/** What an owner puts on the boot partition for Wi-Fi. */
export const radioProfiles: readonly { name: string; lines: string }[] = [
  { name: 'refusing', lines: client('refusing', networks.refusing, 10) },
  { name: 'wireless', lines: client('wireless', networks.accessPoint, 0) },
  {
    name: 'hotspot',
    lines: `[connection]\nid=hotspot\ntype=wifi\ninterface-name=${radios.hotspot}\n[wifi]\nmode=ap\nssid=${networks.hotspot}\nband=bg\nchannel=1\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=${passphrase}\n[ipv4]\nmethod=shared\naddress1=${hotspotAddress}/24\n[ipv6]\nmethod=disabled`,
  },
];
