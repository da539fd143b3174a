import { getEnv } from 'host:process';
import { readToEnd, sleep, type System } from '../ports/index.ts';

/** systemd has much else to do at that time: five seconds were too few on a slow board. */
const PATIENCE_MS = 60_000;

/** Whether systemd takes the whole system down, and not this service alone. False where nobody can say so. */
export async function systemGoesDown({ processes, clock }: Pick<System, 'processes' | 'clock'>): Promise<boolean> {
  const systemctl = getEnv('INVOCATION_ID') === undefined ? undefined : processes.find('systemctl');
  if (systemctl === undefined) return false;
  const child = processes.spawn({ argv: [systemctl, 'show', '--property=Job,ActiveState', 'shutdown.target'], env: { PATH: getEnv('PATH') ?? '' }, stdio: ['null', 'pipe-out', 'null'] });
  const said = await Promise.race([Promise.all([readToEnd(child.streams[1]), child.wait()]).then(([text]) => text), sleep(clock, PATIENCE_MS).then(() => '')]);
  // Queued at first: whatever has to stop before it does so meanwhile.
  return /^(?:Job=[1-9]|ActiveState=(?:active|activating)$)/m.test(said);
}
