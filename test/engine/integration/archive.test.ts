// The archive of `osbuild engine --tarball`, installed where there is nothing but a kernel and busybox: no C library, no systemd.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labObstacle, waitFor, type Outcome } from '../support/lab.ts';
import { rootfsTar } from '../support/rootfs-tar.ts';

const PATIENCE_MS = 180_000;
const folder = dirname(process.env['OSBUILD_ENGINE_BINARY'] ?? '');
const archive = folder === '.' || !existsSync(folder) ? undefined : readdirSync(folder).find((name) => name.endsWith('.tar.gz'));
const busybox = spawnSync('sh', ['-c', 'command -v busybox']).stdout.toString().trim();
const isStatic = busybox !== '' && spawnSync('ldd', [busybox]).status !== 0;
const obstacle = labObstacle() ?? (archive === undefined ? 'no archive of `osbuild engine --arch amd64 --tarball` beside the engine' : isStatic ? undefined : 'busybox is not static');

/** A system of busybox alone, in mount and network namespaces of its own. */
interface Bare {
  root: string;
  run(script: string, input?: Buffer): Outcome;
  ok(script: string, input?: Buffer): string;
  spawn(script: string): ChildProcess;
  close(): void;
}

async function openBare(): Promise<Bare> {
  const root = mkdtempSync('/var/tmp/minke-lab-');
  for (const path of ['bin', 'dev', 'etc', 'proc', 'root', 'run', 'sys', 'tmp', 'usr/local', 'var/lib']) mkdirSync(join(root, path), { recursive: true });
  copyFileSync(busybox, join(root, 'bin/busybox'));
  const setUp = [
    // Hybrid cgroups are what crun refuses; without the unified mount it runs.
    'umount /sys/fs/cgroup/unified 2>/dev/null',
    'ip link set lo up',
    'mount --bind "$0" "$0"',
    ...['dev', 'proc', 'sys'].map((path) => `mount --rbind /${path} "$0/${path}"`),
    'cd "$0"',
    'pivot_root . .',
    // The old root lies on top of the new one, and has the only other umount.
    '/bin/busybox umount -l .',
    '/bin/busybox --install /bin',
    'echo ready',
    'exec /bin/busybox sleep 1000000',
  ];
  const holder = spawn('unshare', ['-m', '-n', '--propagation', 'private', 'sh', '-c', setUp.join('; '), root], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve) => holder.stdout?.once('data', resolve));
  const enter = ['-t', String(holder.pid), '-m', '-n', '--', '/bin/busybox', 'sh', '-c'];
  const env = { PATH: '/bin:/usr/local/bin', HOME: '/root' };
  const run = (script: string, input?: Buffer): Outcome => {
    const result = spawnSync('/usr/bin/nsenter', [...enter, script], { env, ...(input === undefined ? {} : { input }), timeout: PATIENCE_MS, maxBuffer: 64 * 1024 * 1024 });
    return { code: result.status ?? -1, stdout: result.stdout.toString(), stderr: result.stderr.toString() };
  };
  return {
    root,
    run,
    ok(script, input) {
      const { code, stdout, stderr } = run(script, input);
      if (code !== 0) throw new Error(`${script} → ${code}: ${stdout}${stderr}`);
      return stdout.trim();
    },
    spawn: (script) => spawn('/usr/bin/nsenter', [...enter, script], { env, stdio: 'ignore' }),
    close() {
      holder.kill('SIGKILL');
      rmSync(root, { recursive: true, force: true });
    },
  };
}

describe.skipIf(obstacle !== undefined)(`the engine's archive${obstacle === undefined ? '' : ` (${obstacle})`}`, () => {
  let bare: Bare;
  let daemon: ChildProcess | undefined;
  const name = (archive ?? '').replace(/\.tar\.gz$/, '');
  const start = async (): Promise<void> => {
    const line = /^ExecStart=(.*)$/m.exec(readFileSync(join(bare.root, 'opt/minke/current/minke.service'), 'utf8'))?.[1] ?? '';
    daemon = bare.spawn(`exec ${line} > /tmp/daemon.log 2>&1`);
    await waitFor(() => bare.run('minke version').code === 0, PATIENCE_MS);
  };
  const stop = async (): Promise<void> => {
    const stopped = daemon;
    if (stopped === undefined) return;
    const ended = new Promise((resolve) => stopped.once('exit', resolve));
    stopped.kill('SIGTERM');
    await ended;
    daemon = undefined;
  };
  beforeAll(async () => {
    bare = await openBare();
    copyFileSync(join(folder, archive ?? ''), join(bare.root, 'tmp/minke.tar.gz'));
    bare.ok('tar -xzf /tmp/minke.tar.gz -C /root');
  });
  afterAll(async () => {
    bare.run('minke rm -f -v $(minke ps -aq)');
    await stop();
    bare.close();
  }, PATIENCE_MS);

  it('is installed by its own script, and says how it is started where systemd does not run', () => {
    const said = bare.ok(`/root/${name}/install`);
    expect(said).toContain('systemd does not run here');
    expect(said).toContain('/opt/minke/current/bin/minke daemon');
    expect(readlinkSync(join(bare.root, 'usr/local/bin/minke'))).toBe('/opt/minke/current/bin/minke');
    expect(readdirSync(join(bare.root, 'opt/minke/releases'))).toEqual([name]);
  });

  it('runs containers there, with a network and a published port', async () => {
    await start();
    bare.ok('minke import - busybox:lab', rootfsTar());
    expect(bare.ok('minke run --rm busybox:lab echo hello')).toBe('hello');
    bare.ok('minke run -d --name web -p 127.0.0.1:8080:80 busybox:lab httpd -f -h /var/www');
    await waitFor(() => bare.run('wget -q -O - http://127.0.0.1:8080/').stdout === 'hello from minke\n', PATIENCE_MS);
    expect(bare.ok('minke exec web hostname')).toHaveLength(12);
  }, PATIENCE_MS);

  it('is replaced by another release while containers run', async () => {
    const before = bare.ok("minke inspect -f '{{.State.Pid}}' web");
    cpSync(join(bare.root, 'root', name), join(bare.root, 'root', `${name}-next`), { recursive: true });
    bare.ok(`/root/${name}-next/install`);
    expect(readdirSync(join(bare.root, 'opt/minke/releases'))).toEqual([`${name}-next`]);
    await stop();
    expect(existsSync(`/proc/${before}`)).toBe(true);
    await start();
    expect(bare.ok("minke inspect -f '{{.State.Pid}}' web")).toBe(before);
    expect(bare.ok('minke exec web echo still here')).toBe('still here');
  }, PATIENCE_MS);

  it('is taken away again when nothing runs any more; data stay', async () => {
    const refused = bare.run(`/root/${name}/install --uninstall`);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('1 containers run');
    bare.ok('minke stop -t 1 web');
    await stop();
    bare.ok(`/root/${name}/install --uninstall`);
    expect(existsSync(join(bare.root, 'opt/minke'))).toBe(false);
    expect(() => lstatSync(join(bare.root, 'usr/local/bin/minke'))).toThrow();
    expect(readdirSync(join(bare.root, 'var/lib/minke'))).not.toEqual([]);
    expect(bare.run(`/root/${name}/install --uninstall`).stderr).toContain('not installed');
  }, PATIENCE_MS);
});
