declare module 'host:dns' {
  export interface ResolveOptions {
    /** 4 or 6; both when left out, sorted as RFC 6724 says (what the host can reach first). */
    family?: 4 | 6;
    /** Instead of those in /etc/resolv.conf: 'address' or 'address:port' ('[v6]:port'). */
    servers?: readonly string[];
    /** For one attempt at one server; default 5000, or what resolv.conf says. */
    timeoutMs?: number;
    /** Rounds over all servers, default 3. */
    attempts?: number;
  }
  export interface ResolvedAddress {
    /** Numeric, without brackets. */
    address: string;
    family: 4 | 6;
  }
  /**
   * Addresses of a host name: numeric addresses, /etc/hosts, then DNS, reading resolv.conf afresh each time.
   * Rejects with 'DNS_NOT_FOUND' or 'DNS_FAILED' ('ETIMEDOUT' when nobody answered); never resolves to an empty list.
   */
  export function resolve(name: string, options?: ResolveOptions): Promise<ResolvedAddress[]>;
}
