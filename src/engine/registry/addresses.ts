import { parseIpv4 } from '../network/index.ts';

/** Whether a numeric IPv4 address lies in 'a.b.c.d/n'. */
export function inRange(address: string, range: string): boolean {
  const [base = '', length = ''] = range.split('/');
  const [ours, theirs] = [parseIpv4(address), parseIpv4(base)];
  if (ours === undefined || theirs === undefined || !/^\d{1,2}$/.test(length) || Number(length) > 32) return false;
  const hosts = 2 ** (32 - Number(length));
  return Math.floor(ours / hosts) === Math.floor(theirs / hosts);
}

/** This machine, by name or by number. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || inRange(host, '127.0.0.0/8');
}
