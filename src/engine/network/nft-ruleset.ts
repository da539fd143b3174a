/** A host port that leads into a container. */
export interface PublishedPort {
  protocol: 'tcp' | 'udp';
  /** '' or '0.0.0.0': every address of the host. */
  hostAddress: string;
  hostPort: number;
  containerAddress: string;
  containerPort: number;
}

export interface FirewallBridge {
  name: string;
  /** 'a.b.c.d/n' */
  subnet: string;
  /** Containers may reach other networks under the host's address. */
  masquerade: boolean;
  /** Nothing goes out and nothing comes in. */
  internal: boolean;
}

export interface FirewallState {
  table: string;
  bridges: readonly FirewallBridge[];
  published: readonly PublishedPort[];
}

/**
 * The whole of our table as one nft transaction that replaces the old one: idempotent, atomic, and no other table is touched.
 * Local clients are served by the output hook; 127.0.0.1 works because the bridges have route_localnet set, which in turn is why
 * packets from containers to 127.0.0.0/8 are dropped. From one bridge to another only answers and published ports pass.
 */
export function formatRuleset(state: FirewallState): string {
  const { bridges } = state;
  const published = state.published.map((port) => {
    const everywhere = port.hostAddress === '' || port.hostAddress === '0.0.0.0';
    const match = everywhere ? '' : `ip daddr ${port.hostAddress} `;
    return `    ${match}${port.protocol} dport ${port.hostPort} dnat to ${port.containerAddress}:${port.containerPort}`;
  });
  const names = bridges.map(({ name }) => JSON.stringify(name));
  const inside = `{ ${names.join(', ')} }`;
  return [
    `add table ip ${state.table}`,
    `delete table ip ${state.table}`,
    `table ip ${state.table} {`,
    '  chain published {',
    ...published,
    '  }',
    '  chain raw {',
    '    type filter hook prerouting priority raw; policy accept;',
    ...(names.length === 0 ? [] : [`    iifname ${inside} ip daddr 127.0.0.0/8 drop`]),
    '  }',
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    '    fib daddr type local jump published',
    '  }',
    '  chain output {',
    '    type nat hook output priority -100; policy accept;',
    '    fib daddr type local jump published',
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    ...bridges.flatMap(({ name, subnet, masquerade, internal }) => [
      `    oifname ${JSON.stringify(name)} ip saddr 127.0.0.0/8 masquerade`,
      `    oifname ${JSON.stringify(name)} ip saddr ${subnet} ct status dnat masquerade`,
      ...(masquerade && !internal ? [`    ip saddr ${subnet} oifname != ${JSON.stringify(name)} masquerade`] : []),
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
    '',
  ].join('\n');
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
