/** A host port that leads into a container. */
export interface PublishedPort {
  protocol: 'tcp' | 'udp';
  /** '': every address of the host; '0.0.0.0', '::': every one of the family. */
  hostAddress: string;
  hostPort: number;
  /** '' when the container has none of the family. */
  containerAddress: string;
  containerAddress6: string;
  containerPort: number;
}

export interface FirewallBridge {
  name: string;
  /** 'a.b.c.d/n' */
  subnet: string;
  /** 'a:b::/n'; undefined without IPv6. */
  subnet6: string | undefined;
  /** Containers may reach other networks under the host's address. */
  masquerade: boolean;
  /** Nothing goes out and nothing comes in. */
  internal: boolean;
}

export interface FirewallState {
  table: string;
  bridges: readonly FirewallBridge[];
  published: readonly PublishedPort[];
  /** Whether there is to be a table for IPv6, be it to empty it. */
  ipv6: boolean;
}

/**
 * All that is ours as one nft transaction that replaces the old: idempotent, atomic, and no other table is touched.
 * Local clients are served by the output hook; 127.0.0.1 works because the bridges have route_localnet set, which in turn is why
 * packets from containers to 127.0.0.0/8 are dropped. From one bridge to another only answers and published ports pass.
 */
export function formatRuleset({ table, bridges, published, ipv6 }: FirewallState): string {
  const four: Family = {
    name: 'ip',
    bridges: bridges.map((bridge) => ({ ...bridge, loopback: '127.0.0.0/8' })),
    published: published.filter(({ hostAddress, containerAddress }) => containerAddress !== '' && !hostAddress.includes(':')).map((port) => ({ ...port, target: port.containerAddress, everywhere: ['', '0.0.0.0'].includes(port.hostAddress) })),
  };
  const six: Family = {
    name: 'ip6',
    bridges: bridges.flatMap((bridge) => (bridge.subnet6 === undefined ? [] : [{ ...bridge, subnet: bridge.subnet6, loopback: undefined }])),
    published: published
      .filter(({ hostAddress, containerAddress6 }) => containerAddress6 !== '' && (hostAddress === '' || hostAddress.includes(':')))
      .map((port) => ({ ...port, target: `[${port.containerAddress6}]`, everywhere: ['', '::'].includes(port.hostAddress) })),
  };
  return [...formatTable(table, four), ...(ipv6 ? ['add table ip6 ' + table, 'delete table ip6 ' + table, ...(six.bridges.length === 0 ? [] : formatTable(table, six).slice(2))] : []), ''].join('\n');
}

interface Family {
  name: 'ip' | 'ip6';
  bridges: { name: string; subnet: string; masquerade: boolean; internal: boolean; loopback: string | undefined }[];
  published: { protocol: string; hostAddress: string; hostPort: number; target: string; containerPort: number; everywhere: boolean }[];
}

/** The first two lines take away what was there. */
function formatTable(table: string, { name: family, bridges, published }: Family): string[] {
  const names = bridges.map(({ name }) => JSON.stringify(name));
  const inside = `{ ${names.join(', ')} }`;
  // The kernel lets nothing from ::1 leave the loopback: clients that get a refusal there try 127.0.0.1.
  const local = family === 'ip' ? 'fib daddr type local' : 'ip6 daddr != ::1 fib daddr type local';
  return [
    `add table ${family} ${table}`,
    `delete table ${family} ${table}`,
    `table ${family} ${table} {`,
    '  chain published {',
    ...published.map(({ protocol, hostAddress, hostPort, target, containerPort, everywhere }) => `    ${everywhere ? '' : `${family} daddr ${hostAddress} `}${protocol} dport ${hostPort} dnat to ${target}:${containerPort}`),
    '  }',
    '  chain raw {',
    '    type filter hook prerouting priority raw; policy accept;',
    ...(names.length === 0 || family === 'ip6' ? [] : [`    iifname ${inside} ip daddr 127.0.0.0/8 drop`]),
    '  }',
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    `    ${local} jump published`,
    '  }',
    '  chain output {',
    '    type nat hook output priority -100; policy accept;',
    `    ${local} jump published`,
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    ...bridges.flatMap(({ name, subnet, masquerade, internal, loopback }) => [
      ...(loopback === undefined ? [] : [`    oifname ${JSON.stringify(name)} ip saddr ${loopback} masquerade`]),
      `    oifname ${JSON.stringify(name)} ${family} saddr ${subnet} ct status dnat masquerade`,
      ...(masquerade && !internal ? [`    ${family} saddr ${subnet} oifname != ${JSON.stringify(name)} masquerade`] : []),
    ]),
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter; policy accept;',
    ...bridges.filter(({ internal }) => internal).flatMap(({ name }) => [
      `    iifname ${JSON.stringify(name)} oifname != ${JSON.stringify(name)} drop`,
      `    oifname ${JSON.stringify(name)} iifname != ${JSON.stringify(name)} drop`,
    ]),
    ...(names.length === 0
      ? []
      : [
          `    oifname != ${inside} accept`,
          ...names.map((name) => `    iifname ${name} oifname ${name} accept`),
          '    ct state established,related accept',
          '    ct status dnat accept',
          '    drop',
        ]),
    '  }',
    '}',
  ];
}

/** Leads a container's queries to port 53 of the name server's address to the port that we have there; for the container's own namespace. */
export function formatNameServerRules(address: string, port: number): string {
  return [
    'add table ip minke_dns',
    'delete table ip minke_dns',
    'table ip minke_dns {',
    '  chain output {',
    '    type nat hook output priority -100; policy accept;',
    ...['udp', 'tcp'].map((protocol) => `    ip daddr ${address} ${protocol} dport 53 dnat to ${address}:${port}`),
    '  }',
    '}',
    '',
  ].join('\n');
}
