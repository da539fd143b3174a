import { encodeMessage, NLM_F_ACK, NLM_F_REQUEST, zeroTerminated } from './netlink-message.ts';

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETTABLE = 1;
const NFTA_TABLE_NAME = 1;
/** Families of tables. */
export const NFPROTO = { ip: 2, ip6: 10 };

/** Asks for a table (linux/netfilter/nf_tables.h); the kernel answers 'ENOENT' when it is not there. */
export function getTable(sequence: number, family: keyof typeof NFPROTO, name: string): Uint8Array {
  // nfgenmsg: family, version, resource id.
  const header = Uint8Array.of(NFPROTO[family], 0, 0, 0);
  return encodeMessage((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE, NLM_F_REQUEST | NLM_F_ACK, sequence, header, [{ type: NFTA_TABLE_NAME, value: zeroTerminated(name) }]);
}
