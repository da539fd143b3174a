/** A host port that leads into a container. */
export interface PublishedPort {
  protocol: 'tcp' | 'udp';
  /** '' or '0.0.0.0': every address of the host. */
  hostAddress: string;
  hostPort: number;
  containerAddress: string;
  containerPort: number;
}

export interface FirewallState {
  table: string;
  bridge: string;
  /** 'a.b.c.d/n' */
  subnet: string;
  /** Containers may reach other networks under the host's address. */
  masquerade: boolean;
  published: readonly PublishedPort[];
}

/**
 * The whole of our table as one nft transaction that replaces the old one: idempotent, atomic, and no other table is touched.
 * Local clients are served by the output hook; 127.0.0.1 works because the bridge has route_localnet set, which in turn is why
 * packets from containers to 127.0.0.0/8 are dropped.
 */
export function formatRuleset(state: FirewallState): string {
  const { bridge, subnet } = state;
  const inside = JSON.stringify(bridge);
  const published = state.published.map((port) => {
    const everywhere = port.hostAddress === '' || port.hostAddress === '0.0.0.0';
    const match = everywhere ? '' : `ip daddr ${port.hostAddress} `;
    return `    ${match}${port.protocol} dport ${port.hostPort} dnat to ${port.containerAddress}:${port.containerPort}`;
  });
  return [
    `add table ip ${state.table}`,
    `delete table ip ${state.table}`,
    `table ip ${state.table} {`,
    '  chain published {',
    ...published,
    '  }',
    '  chain raw {',
    '    type filter hook prerouting priority raw; policy accept;',
    `    iifname ${inside} ip daddr 127.0.0.0/8 drop`,
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
    `    oifname ${inside} ip saddr 127.0.0.0/8 masquerade`,
    `    oifname ${inside} ip saddr ${subnet} ct status dnat masquerade`,
    ...(state.masquerade ? [`    ip saddr ${subnet} oifname != ${inside} masquerade`] : []),
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter; policy accept;',
    `    oifname != ${inside} accept`,
    `    iifname ${inside} accept`,
    '    ct state established,related accept',
    '    ct status dnat accept',
    '    drop',
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Takes our table away. */
export function formatRemoval(table: string): string {
  return `add table ip ${table}\ndelete table ip ${table}\n`;
}
