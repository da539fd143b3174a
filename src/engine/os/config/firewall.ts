/** In development the engine listens there too. */
const ENGINE_PORT = 2375;

/** What is always let in: without it the device would have no address, no name, and nobody could mend it. */
const ALWAYS = [
  'ct state established,related accept',
  'ct state invalid drop',
  'iifname "lo" accept',
  'meta l4proto { icmp, ipv6-icmp, igmp } accept comment "also neighbours and routers of IPv6"',
  'udp sport 67 udp dport 68 accept comment "DHCP"',
  'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment "DHCPv6"',
  'udp dport 5353 accept comment "mDNS"',
  'tcp dport 22222 accept comment "SSH"',
  // Name servers listen to containers and to shared connections alone.
  'meta l4proto { tcp, udp } th dport 53 accept comment "DNS of containers and of shared connections"',
  'udp dport 67 accept comment "DHCP of shared connections"',
];

/**
 * A file for `nft -f` that makes the host's own table anew, in one step. It is about what is addressed to the host: published ports of containers are forwarded, and stay open.
 * @param allow "80/tcp", "5000-5010/udp"
 */
export function firewallRules(allow: readonly string[], { development }: { development: boolean }): string {
  const own = allow.map((entry) => {
    const [ports = '', protocol = ''] = entry.split('/');
    const [first = 0, last = first] = ports.split('-').map(Number);
    return `${protocol} dport ${Math.min(first, last)}${first === last ? '' : `-${Math.max(first, last)}`} accept`;
  });
  const rules = [...ALWAYS, ...(development ? [`tcp dport ${ENGINE_PORT} accept comment "the engine, in development"`] : []), ...own];
  return [
    // The first line makes the second succeed.
    'table inet minke_host',
    'delete table inet minke_host',
    'table inet minke_host {',
    '  chain input {',
    '    type filter hook input priority filter; policy drop;',
    ...rules.map((rule) => `    ${rule}`),
    '  }',
    '}',
  ].map((line) => `${line}\n`).join('');
}
