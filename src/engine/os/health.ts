import { sleep } from '../ports/index.ts';
import type { Device } from './device.ts';
import type { OsEngine } from './engine.ts';
import type { UpdateRecord } from './record.ts';

export interface HealthCheck {
  name: string;
  /** Throws, or says what is wrong; undefined: all is well. */
  run(): Promise<string | undefined>;
}

/** What has to work before a release, or what else a start tries, is kept. */
export function healthChecks(device: Device, engine: OsEngine, record: (Pick<UpdateRecord, 'before'> & { imageId?: string }) | undefined): HealthCheck[] {
  const { system: { files, processes }, places } = device;
  const checks: HealthCheck[] = [{ name: 'engine', run: () => runsContainer(engine, record?.imageId) }];
  if (record?.before.network === true) checks.push({ name: 'network', run: async () => (hasDefaultRoute(files) ? undefined : 'there is no default route, and there was one before') });
  if (record?.before.vpn === true) checks.push({ name: 'vpn', run: async () => (hasVpn(files) ? undefined : 'there is no VPN, and there was one before') });
  if (!files.exists(places.checks)) return checks;
  for (const { name } of files.readdir(places.checks).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    checks.push({
      name,
      async run() {
        const status = await processes.spawn({ argv: [`${places.checks}/${name}`], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } }).wait();
        return status === 0 ? undefined : `it ended with ${status}`;
      },
    });
  }
  return checks;
}

/** The engine works when it starts a container; the release itself is an image that is there for sure. */
async function runsContainer(engine: OsEngine, imageId: string | undefined): Promise<string | undefined> {
  if (imageId === undefined || (await engine.labels(imageId)) === undefined) return undefined;
  const program = await engine.start({ imageId, argv: ['/bin/sh', '-c', 'exit 0'], environment: [], binds: [], devices: [] });
  const { status, output } = await program.end();
  return status === 0 ? undefined : `a container ended with ${status}: ${output.trim()}`;
}

/** Repeats all checks until all pass in one round; what is wrong in the last one when time is over. */
export async function waitUntilHealthy({ system: { clock } }: Pick<Device, 'system'>, checks: readonly HealthCheck[], patienceMs: number, say: (line: string) => Promise<void>): Promise<string | undefined> {
  let said = '';
  for (const until = clock.monotonicMs() + patienceMs; ; ) {
    const wrong = await firstFault(checks);
    if (wrong === undefined) return undefined;
    if (wrong !== said) await say(`not healthy yet: ${wrong}`);
    said = wrong;
    if (clock.monotonicMs() >= until) return wrong;
    await sleep(clock, 5000);
  }
}

async function firstFault(checks: readonly HealthCheck[]): Promise<string | undefined> {
  for (const { name, run } of checks) {
    const wrong = await run().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    if (wrong !== undefined) return `${name}: ${wrong}`;
  }
  return undefined;
}

type Files = Device['system']['files'];

/** A default route of IPv4, or of IPv6 through an interface other than lo. */
export function hasDefaultRoute(files: Pick<Files, 'exists' | 'readText'>): boolean {
  const lines = (path: string): string[][] => (files.exists(path) ? files.readText(path).split('\n').map((line) => line.trim().split(/\s+/)) : []);
  if (lines('/proc/net/route').some(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')) return true;
  return lines('/proc/net/ipv6_route').some((fields) => fields[0] === '0'.repeat(32) && fields[1] === '00' && fields.at(-1) !== 'lo' && fields.length > 9);
}

/** OpenVPN's interfaces, as its unit names them. */
export const hasVpn = (files: Pick<Files, 'readdir'>): boolean => files.readdir('/sys/class/net').some(({ name }) => /^tun\d/.test(name));
