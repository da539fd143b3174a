import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { imageConfig, oldStyleArchive, sha256 } from '../support/docker-archive.ts';
import { waitFor, type Outcome } from '../support/lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { rootfsTar } from '../support/rootfs-tar.ts';
import { tarFile, tarFolder, tarOf } from '../support/tar-writer.ts';

/** Content that does not compress, the same each time. */
const noise = (sizeBytes: number, seed: string): Buffer => createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();

describeLab('the store', (lab) => {
  let registry: TestRegistry;
  const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
  const minke = (...args: string[]): Outcome => lab.run([binary, '-H', `unix://${lab.socket}`, ...args]);
  const layer = (name: string): Buffer => tarOf([tarFolder(name), tarFile(`${name}/big`, noise(300_000, name)), tarFile(`${name}/small`, name)]);
  const folderOf = (tar: Buffer): string => join(lab.dataRoot, 'layers', sha256(tar).slice(0, 16));
  const pull = async (name: string): Promise<void> => expect(await lab.dockerAsync('pull', `localhost:5000/${name}`)).toMatchObject({ code: 0, stderr: '' });
  const restart = async (change: () => void): Promise<void> => {
    await lab.signalDaemon('SIGKILL');
    change();
    await lab.startDaemon();
  };

  beforeAll(async () => {
    registry = await serveRegistry(lab, 5000);
    for (const name of ['one', 'two']) registry.putImage(name, 'latest', [{ tar: layer('shared') }, { tar: layer(name) }], { config: imageConfig([layer('shared'), layer(name)]) });
  });
  afterEach(() => rmSync(join(lab.dataRoot, 'damaged'), { recursive: true, force: true }));
  afterAll(() => registry?.close());

  it('is checked file by file', async () => {
    for (const name of ['one', 'two']) await pull(name);
    const good = minke('system', 'check');
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toMatch(/Checked 4 layers and 3 images, \d+ MB of files\nNothing is wrong\n$/);
  });

  it('shows a changed file, and repairs what no container stands on', async () => {
    const file = join(folderOf(layer('one')), 'diff/one/big');
    const fd = openSync(file, 'r+');
    writeSync(fd, 'x', 200_000);
    closeSync(fd);
    expect(minke('system', 'check', '--quick').code).toBe(0);
    const seen = minke('system', 'check');
    expect(seen.code).toBe(1);
    expect(seen.stdout).toMatch(/Fault: layer sha256:[0-9a-f]{64} of localhost:5000\/one\S*: .*its files are not what they were/);
    expect(seen.stderr).toContain('the store has a fault; --repair mends what can be mended');
    const id = lab.ok('create', 'localhost:5000/one', 'x');
    const refused = minke('system', 'check', '--repair');
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining('a container stands on it') as string]);
    lab.ok('rm', id);
    const mended = minke('system', 'check', '--repair');
    expect([mended.code, mended.stdout]).toEqual([0, expect.stringContaining('Everything that was wrong has been repaired') as string]);
    expect(lab.docker('image', 'inspect', 'localhost:5000/one').code).toBe(1);
    expect(existsSync(folderOf(layer('one')))).toBe(false);
    await pull('one');
    expect(readFileSync(file).equals(noise(300_000, 'one'))).toBe(true);
    expect(minke('system', 'check').code).toBe(0);
  });

  it('starts with whatever is damaged, says so, and can be made whole again', async () => {
    await restart(() => {
      writeFileSync(join(lab.dataRoot, 'store.json'), '');
      writeFileSync(join(lab.dataRoot, 'engine-id.json'), '{"id":');
      writeFileSync(join(folderOf(layer('two')), 'layer.json'), 'null');
      writeFileSync(join(lab.dataRoot, 'images', `${'0'.repeat(64)}.json`), '{}');
      mkdirSync(join(lab.dataRoot, 'layers', 'stranger'));
    });
    expect(lab.docker('image', 'inspect', 'localhost:5000/two').code).toBe(1);
    expect(lab.docker('image', 'inspect', 'localhost:5000/one').code).toBe(0);
    expect(JSON.parse(readFileSync(join(lab.dataRoot, 'store.json'), 'utf8'))).toEqual({ format: 1 });
    expect(readdirSync(join(lab.dataRoot, 'damaged')).length).toBeGreaterThanOrEqual(4);
    const seen = minke('system', 'check', '--quick');
    expect(seen.stdout).toMatch(/Fault: localhost:5000\/two\S*: lacks a layer/);
    expect(seen.stdout).toMatch(/damaged: has \d things that could not be read/);
    // A pull mends it as well; what is set aside goes by the repair.
    await pull('two');
    expect(lab.ok('image', 'inspect', '-f', '{{len .RootFS.Layers}}', 'localhost:5000/two')).toBe('2');
    expect(minke('system', 'check', '--repair').code).toBe(0);
    expect(existsSync(join(lab.dataRoot, 'damaged'))).toBe(false);
    expect(minke('system', 'check').code).toBe(0);
  });

  it('is refused when a newer engine has written it', async () => {
    const versionFile = join(lab.dataRoot, 'store.json');
    await lab.signalDaemon('SIGTERM');
    writeFileSync(versionFile, '{"format":99}');
    const refused = lab.run([binary, 'daemon', '-H', `unix://${lab.folder}/other.sock`, '--data-root', lab.dataRoot, '--exec-root', lab.execRoot, '--pidfile', '', '--bridge', 'none']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('was written by a newer engine (format 99, this one knows 1)');
    expect(readFileSync(versionFile, 'utf8')).toBe('{"format":99}');
    writeFileSync(versionFile, '{"format":1}');
    await lab.startDaemon();
    expect(lab.ok('images', '-q', 'localhost:5000/two')).not.toBe('');
  });

  it('tells what it takes as the disk does', () => {
    const bytes = (folder: string): number => Number(lab.run(['sh', '-c', `find ${folder} -type f -printf '%s\\n' | awk '{ sum += $1 } END { print sum + 0 }'`]).stdout);
    const onDisk = readdirSync(join(lab.dataRoot, 'layers')).reduce((sum, name) => sum + bytes(join(lab.dataRoot, 'layers', name, 'diff')), 0);
    const usage = JSON.parse(lab.run(['curl', '-s', '--unix-socket', lab.socket, 'http://x/system/df']).stdout || '{}') as { LayersSize?: number };
    expect(usage.LayersSize).toBe(onDisk);
  });
});

describeLab('a full disk', (lab) => {
  let registry: TestRegistry;
  const small = (): string => join(lab.folder, 'small');
  const socket = (): string => join(lab.folder, 'small.sock');
  const docker = (...args: string[]): Promise<Outcome> => lab.dockerAsync('-H', `unix://${socket()}`, ...args);
  // Only the lab sees the mount.
  const inside = (script: string): string => lab.run(['sh', '-c', `cd ${small()}/data; ${script}`]).stdout;
  const folder = (name: string): string[] => inside(`ls ${name}`).split('\n').filter((line) => line !== '');
  const freeBytes = (): number => Number(lab.run(['df', '-B1', '--output=avail', small()]).stdout.split('\n')[1]);
  let daemon: ReturnType<typeof lab.spawn> | undefined;

  const start = async (): Promise<void> => {
    const child = lab.spawn([process.env['OSBUILD_ENGINE_BINARY'] ?? '', 'daemon', '-H', `unix://${socket()}`, '--data-root', `${small()}/data`, '--exec-root', `${lab.folder}/small-run`, '--pidfile', '', '--bridge', 'none']);
    daemon = child;
    await waitFor(async () => (await docker('version')).code === 0, 30_000);
  };
  const stop = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (daemon === undefined) return;
    const ended = new Promise((resolve) => daemon?.once('exit', resolve));
    daemon.kill(signal);
    await ended;
    daemon = undefined;
  };

  beforeAll(async () => {
    registry = await serveRegistry(lab, 5000);
    mkdirSync(small());
    // Nothing of it is set aside for root: the daemon gets the very last block.
    const made = lab.run(['sh', '-ec', `truncate -s 64M ${small()}.img; mkfs.ext4 -q -m 1 ${small()}.img; mount -o loop ${small()}.img ${small()}`]);
    if (made.code !== 0) throw new Error(made.stderr);
    await start();
  });
  afterAll(async () => {
    await stop('SIGTERM');
    lab.run(['umount', '-l', small()]);
    await registry?.close();
  });

  it('is met in the middle of a pull: the layer goes, and the rest goes on', async () => {
    const [first, second] = [tarOf([tarFile('first', noise(8_000_000, 'first'))]), tarOf([tarFile('second', Buffer.alloc(80_000_000, 7))])];
    registry.putImage('kept', '1', [{ tar: first }]);
    expect(await docker('pull', 'localhost:5000/kept:1')).toMatchObject({ code: 0, stderr: '' });
    // 80 MB arrive as some 80 kB, and its last member says that it is empty: nothing tells beforehand that it will not fit.
    registry.putImage('large', '1', [{ tar: first }, { tar: second, blob: Buffer.concat([gzipSync(second), gzipSync(Buffer.alloc(0))]), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }]);
    const failed = await docker('pull', 'localhost:5000/large:1');
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('no space left on device') as string]);
    expect([folder('tmp'), folder('layers').length]).toEqual([[], 1]);
    expect((await docker('images', '-q')).stdout.trim().split('\n')).toHaveLength(1);
    expect(freeBytes()).toBeGreaterThan(30_000_000);
  });

  it('is told before a pull begins, when the end of a layer says how large it is', async () => {
    const tar = tarOf([tarFile('roomy', Buffer.concat([noise(8_000_000, 'roomy'), Buffer.alloc(72_000_000, 9)]))]);
    const { layerDigests: [digest = ''] } = registry.putImage('roomy', '1', [{ tar, blob: gzipSync(tar), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }]);
    const failed = await docker('pull', 'localhost:5000/roomy:1');
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringMatching(/no space left on device: the image has at least 81 MB unpacked, and \S+ has \d\d MB free/) as string]);
    const size = gzipSync(tar).length;
    expect(registry.requests.filter(({ url }) => url.endsWith(digest)).map(({ range }) => range)).toEqual([`bytes=${size - 4}-`]);
    expect([folder('tmp'), folder('layers').length]).toEqual([[], 1]);
    // The same from a file: an uncompressed layer says it in its archive's header.
    const loaded = lab.run(['docker', '-H', `unix://${socket()}`, 'load'], oldStyleArchive('roomy:1', [{ tar }]));
    expect([loaded.code, loaded.stderr + loaded.stdout]).toEqual([1, expect.stringContaining('no space left on device: the layer has at least 81 MB') as string]);
    expect([folder('tmp'), folder('layers').length]).toEqual([[], 1]);
  });

  it('is filled by others to the last byte: the daemon goes on, starts again, and deletes', async () => {
    registry.putImage('runs', '1', [{ tar: rootfsTar() }]);
    const begun = await docker('run', '-d', '--name', 'stays', '--restart', 'always', '--network', 'none', '--init', 'localhost:5000/runs:1', 'sleep', '100000');
    expect(begun.code, begun.stderr).toBe(0);
    const init = Number((await docker('inspect', '-f', '{{.State.Pid}}', 'stays')).stdout);
    const pids = [Number(lab.run(['ps', '-o', 'ppid=', '-p', String(init)]).stdout), init];
    const held = (): number => Number(inside('stat -c %b reserve')) * 512;
    expect(held()).toBeGreaterThanOrEqual(1024 * 1024);
    lab.run(['sh', '-c', `mkdir ${small()}/fillers; dd if=/dev/zero of=${small()}/filler bs=64k 2>/dev/null; for i in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=${small()}/filler-$i bs=1k count=64 2>/dev/null; done; sync -f ${small()}`]);
    // Not even a folder finds room any more.
    lab.run(['sh', '-c', `i=0; while mkdir ${small()}/fillers/$i 2>/dev/null; do i=$((i + 1)); done; sync -f ${small()}`]);
    expect(freeBytes()).toBe(0);
    expect((await docker('images', '-q')).code).toBe(0);
    // What is refused takes nothing of what a start needs.
    expect((await docker('pull', 'localhost:5000/large:1')).stderr).toContain('no space left on device');
    expect([held() > 900_000, freeBytes()]).toEqual([true, 0]);
    await stop('SIGKILL');
    // As after a restart of the machine.
    lab.run(['sh', '-c', `kill -9 ${pids.join(' ')}; while kill -0 ${pids.join(' ')} 2>/dev/null; do sleep 0.1; done; umount ${lab.folder}/small-run/*/* 2>/dev/null; rm -rf ${lab.folder}/small-run`]);
    // Where its folder for unfinished work is gone, too.
    inside('rmdir tmp; mkdir ../fillers/tmp');
    expect(freeBytes()).toBe(0);
    await start();
    await waitFor(async () => (await docker('exec', 'stays', 'cat', '/etc/hosts')).stdout.includes('localhost'), 30_000);
    expect(held()).toBeGreaterThan(500_000);
    expect(freeBytes()).toBeLessThan(100_000);
    expect(await docker('rm', '-f', 'stays')).toMatchObject({ code: 0, stderr: '' });
    const failed = await docker('pull', 'localhost:5000/large:1');
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('no space left on device') as string]);
    expect(await docker('rmi', 'localhost:5000/kept:1', 'localhost:5000/runs:1')).toMatchObject({ code: 0, stderr: '' });
    expect([folder('layers'), folder('tmp')]).toEqual([[], []]);
    expect(freeBytes()).toBeGreaterThan(7_000_000);
    lab.run(['sh', '-c', `rm -r ${small()}/filler*`]);
    // The room that deletes need is set aside again.
    registry.putImage('fits', '1', [{ tar: tarOf([tarFile('x', noise(100_000, 'x'))]) }]);
    expect(await docker('pull', 'localhost:5000/fits:1')).toMatchObject({ code: 0, stderr: '' });
    expect(folder('reserve')).toEqual(['reserve']);
  });
}, { image: false });
