/** Sends netlink messages; answers are whole messages without acknowledgements. Throws with the kernel's errno. */
export interface Netlink {
  /** rtnetlink, in a process' network namespace if one is named. */
  request(messages: Uint8Array, namespaceOfPid?: number): Uint8Array[];
  netfilter(messages: Uint8Array): Uint8Array[];
  /** Resolves with every change of the nftables rules, whoever makes it. Throws 'ENOBUFS' when some were lost. */
  netfilterEvents(): { next(): Promise<unknown> };
}
