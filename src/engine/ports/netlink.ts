/** Sends rtnetlink messages, in a process' network namespace if one is named; answers are whole messages without acknowledgements. Throws with the kernel's errno. */
export interface Netlink {
  request(messages: Uint8Array, namespaceOfPid?: number): Uint8Array[];
}
