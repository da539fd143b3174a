import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, leftovers, waitFor } from '../support/lab.ts';

const QUICK = ['--health-interval', '150ms', '--health-timeout', '2s', '--health-retries', '2'];

describeLab('health checks', (lab) => {
  const run = (name: string, command: string, ...options: string[]): string => lab.ok('run', '-d', '--name', name, '--health-cmd', command, ...QUICK, ...options, IMAGE, 'sleep', '1000');
  const health = (name: string): string => lab.ok('inspect', '-f', '{{.State.Health.Status}}', name);
  const becomes = (name: string, status: string): Promise<void> => waitFor(() => health(name) === status, 30_000);

  it('goes from starting to healthy to unhealthy and back, with events and a log', async () => {
    run('web', 'test ! -e /broken && echo fine', '--health-start-period', '1h', '--health-start-interval', '100ms');
    expect(lab.ok('ps', '--format', '{{.Status}}')).toMatch(/\((health: starting|healthy)\)$/);
    await becomes('web', 'healthy');
    expect(lab.ok('ps', '--format', '{{.Names}} {{.Status}}', '--filter', 'health=healthy')).toMatch(/^web Up .*\(healthy\)$/);
    expect(lab.ok('inspect', '-f', '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}', 'web')).toBe('0 fine');
    lab.ok('exec', 'web', 'touch', '/broken');
    await becomes('web', 'unhealthy');
    expect(Number(lab.ok('inspect', '-f', '{{.State.Health.FailingStreak}}', 'web'))).toBeGreaterThanOrEqual(2);
    lab.ok('exec', 'web', 'rm', '/broken');
    await becomes('web', 'healthy');
    await waitFor(() => lab.ok('inspect', '-f', '{{len .State.Health.Log}}', 'web') === '5');
    // The client asks for whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const events = lab.ok('events', '--since', '1h', '--until', '0s', '--filter', 'event=health_status', '--format', '{{.Action}}').split('\n');
    expect(events).toEqual(['health_status: healthy', 'health_status: unhealthy', 'health_status: healthy']);
    lab.ok('rm', '-f', 'web');
  });

  it('kills a check that takes too long, with what it started', async () => {
    run('slow', 'echo begun; sleep 1234; true', '--health-timeout', '300ms');
    await becomes('slow', 'unhealthy');
    expect(lab.ok('inspect', '-f', '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}', 'slow')).toMatch(/^-1 Health check exceeded timeout \(0\.3s\): begun/);
    lab.ok('pause', 'slow');
    await new Promise((resolve) => setTimeout(resolve, 500));
    lab.ok('unpause', 'slow');
    const running = (): number => Number(lab.ok('exec', 'slow', 'sh', '-c', 'ps | grep "sleep 123[4]" | wc -l'));
    // One check at most is under way: its shell, which has these words too, and what it started. One that is just being killed may still
    // be seen beside it; those that were left would only become more.
    await waitFor(() => running() <= 2, 30_000);
    lab.ok('rm', '-f', 'slow');
  });

  it('cuts the output, and says when the command is not there', async () => {
    run('loud', 'head -c 20000 /dev/zero | tr "\\0" x');
    await becomes('loud', 'healthy');
    expect(lab.ok('inspect', '-f', '{{(index .State.Health.Log 0).Output}}', 'loud')).toBe(`${'x'.repeat(4096)}...`);
    lab.ok('rm', '-f', 'loud');
  });

  it('goes on after the daemon died, knowing what it knew, and ends with the container', async () => {
    run('survivor', 'test ! -e /broken');
    await becomes('survivor', 'healthy');
    await lab.signalDaemon('SIGKILL');
    await lab.startDaemon();
    expect(health('survivor')).toBe('healthy');
    lab.ok('exec', 'survivor', 'touch', '/broken');
    await becomes('survivor', 'unhealthy');
    const streak = (): number => Number(lab.ok('inspect', '-f', '{{.State.Health.FailingStreak}}', 'survivor'));
    await waitFor(() => streak() >= 20, 60_000);
    lab.ok('stop', '-t', '0', 'survivor');
    const count = (): number => lab.ok('inspect', '-f', '{{len .State.Health.Log}} {{(index .State.Health.Log 0).Start}}', 'survivor').length;
    const before = count();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(count()).toBe(before);
    lab.ok('start', 'survivor');
    // It begins anew; on a starved machine some checks have failed again already. That it was `starting` in between is told by another change.
    expect(streak()).toBeLessThan(20);
    const told = (): string[] => lab.ok('events', '--since', '1h', '--until', '0s', '--filter', 'event=health_status', '--filter', 'container=survivor', '--format', '{{.Action}}').split('\n');
    await waitFor(() => told().filter((action) => action === 'health_status: unhealthy').length === 2, 30_000);
    lab.ok('rm', '-f', 'survivor');
    expect(leftovers(lab)).toEqual([]);
  });
});
