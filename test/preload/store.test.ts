// A data partition with applications, made of a registry's images by the engine itself, and what an engine makes of it without any network.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { BlobStore, CacheLayout } from '../../src/cache/index.ts';
import { createPreloadExecutors } from '../../src/cli/build/preload-executors.ts';
import { createHttpClient } from '../../src/http/index.ts';
import { buildDisk, type DiskReport } from '../../src/image/disk.ts';
import { planPreload, readApplications, resolveImages } from '../../src/preload/index.ts';
import { openRepository, type ImageName, type Repository } from '../../src/registry/index.ts';
import { describeLab } from '../engine/support/describe-lab.ts';
import { prepareKeeper, type Keeper } from '../engine/support/keeper.ts';
import { openRegistry, type TestRegistry } from '../engine/support/registry.ts';
import { rootfsTar } from '../engine/support/rootfs-tar.ts';
import { tarFile, tarFolder, tarHardlink, tarOf, tarSymlink } from '../engine/support/tar-writer.ts';
import { fakeContext, noToolsTree, toolsTree } from '../image/support/fake-context.ts';

const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
const pack = process.env['OSBUILD_TEST_PRELOAD_TREE'] ?? '';
const epoch = 1_750_000_000;
const loops = spawnSync('losetup', ['-f']).status === 0;
const obstacle = toolsTree === null ? noToolsTree : existsSync(join(pack, 'usr/sbin/mke2fs')) ? (loops ? undefined : 'no loop devices') : 'OSBUILD_TEST_PRELOAD_TREE names no tools tree (`osbuild tools tools-preload` makes one)';

describeLab('preloaded applications', (lab) => {
  let work = '';
  let registry: TestRegistry;
  let keeper: Keeper | undefined;
  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'osbuild-preload-'));
    registry = await openRegistry();
    // Owners, capabilities and other attributes, hard links, a younger file than the build's time, and what the second layer takes away.
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const second = tarOf([
      tarFolder('odd', { mtime: 1_600_000_000 }),
      tarFile('odd/owned', 'owned\n', { uid: 1234, gid: 70_000, mode: 0o4750, mtime: 1_790_000_000, pax: { 'SCHILY.xattr.user.colour': 'blue', 'SCHILY.xattr.security.capability': capability } }),
      tarHardlink('odd/linked', 'odd/owned'), tarSymlink('odd/soft', 'owned'), tarFile('odd/gone', 'gone\n'), tarFile('untold/deep/file', 'x'), tarFolder('hidden'), tarFile('hidden/old', 'old\n'),
    ]);
    const third = tarOf([tarFile('odd/.wh.gone', ''), tarFolder('hidden'), tarFile('hidden/.wh..wh..opq', ''), tarFile('hidden/new', 'new\n')]);
    registry.putImage('team/web', '1', [rootfsTar(), second, third].map((tar) => ({ tar })));
    mkdirSync(join(work, 'apps'));
    writeFileSync(join(work, 'apps/web.env'), 'WORD=preloaded\n');
    writeFileSync(join(work, 'apps/compose.yaml'), `services:\n  web:\n    image: ${registry.address}/team/web:1\n    init: true\n    restart: always\n    env_file: [web.env]\n    command: sleep 100000\n`);
  });
  afterAll(() => {
    keeper?.close();
    rmSync(work, { recursive: true, force: true });
  });

  const open = (name: ImageName): Promise<Repository> => openRepository(name, { client: createHttpClient({ http: null, https: null }, { connections: 2, stallTimeoutMs: 10_000 }), login: null, insecure: true, push: false, signal: new AbortController().signal });

  /** All steps in an empty cache; the folder has data.tar and the disk. */
  async function build(name: string, data?: string): Promise<DiskReport> {
    const out = join(work, name);
    const layout = new CacheLayout(join(out, 'cache'));
    const executors = createPreloadExecutors({ blobs: new BlobStore(layout), layout, open });
    const applications = readApplications(join(work, 'apps/compose.yaml'));
    const resolved = await resolveImages(applications, { arch: 'amd64', machine: 'board', archives: [], insecure: true, open });
    const { tasks } = planPreload('board', applications, resolved, { engine: { task: 'engine', output: 'minke' }, tools: 'tree', digests: new Map() });
    const archives: Record<string, string> = {};
    for (const task of tasks) {
      if (task.kind === 'preload/fetch') {
        const context = fakeContext('preload/fetch', task.args, {}, join(out, 'fetch'), epoch);
        await executors['preload/fetch'].run(context);
        archives['image'] = context.output('image.tar');
        context.dispose();
      }
      if (task.kind === 'preload/store') {
        const files = new Map(applications.files.map(({ path }) => [path, join(work, 'apps', path)]));
        const [archive = ''] = task.args.archives;
        const context = fakeContext('preload/store', task.args, { engine: binary, pack, files, [archive]: archives['image'] ?? '' }, out, epoch);
        await executors['preload/store'].run(context);
        context.dispose();
      }
    }
    // A root of one block has no tree: its hash is the root hash.
    writeFileSync(join(out, 'root'), Buffer.alloc(4096));
    writeFileSync(join(out, 'tree'), '');
    execFileSync('cp', [join(work, 'boot.vfat'), join(out, 'boot')]);
    const disk = { table: 'gpt' as const, boot: '64MiB', root: '16MiB', state: '16MiB', ...(data === undefined ? {} : { data }) };
    const context = fakeContext('image/disk', { name: 'board', disk, preloaded: true }, { root: join(out, 'root'), tree: join(out, 'tree'), boot: join(out, 'boot'), data: join(out, 'data.tar'), dataFacts: join(out, 'data.json'), dataTools: pack }, out, epoch);
    await buildDisk(context).finally(() => context.dispose());
    return JSON.parse(readFileSync(join(out, 'disk.json'), 'utf8')) as DiskReport;
  }
  const digest = (path: string): string => createHash('sha256').update(readFileSync(join(work, path))).digest('hex');

  it('are the same bytes in another cache at another time', async () => {
    const context = fakeContext('image/slot', { compression: '' }, {}, work);
    await context.tool({ argv: ['mkfs.fat', '-C', '--invariant', '-F', '32', '-s', '1', '/out/boot.vfat', '65536'] });
    context.dispose();
    const { layout } = await build('one');
    await new Promise((resolve) => setTimeout(resolve, 2100));
    await build('two');
    for (const file of ['data.tar', 'data.json', 'disk.json', 'disk.bmap', 'disk.img.zst']) expect(digest(`two/${file}`), file).toBe(digest(`one/${file}`));
    const data = layout.partitions.find(({ name }) => name === 'data');
    const unpack = fakeContext('image/slot', { compression: '' }, { packed: join(work, 'one/disk.img.zst') }, work);
    await unpack.tool({ argv: ['zstd', '-q', '-d', '/in/packed', '-o', '/out/disk.img'] });
    unpack.dispose();
    execFileSync('sh', ['-ec', `cd ${work}; dd if=disk.img of=data.ext4 bs=1M iflag=skip_bytes,count_bytes skip=${data?.startBytes ?? 0} count=${data?.sizeBytes ?? 0} conv=sparse status=none; rm disk.img; e2fsck -fn data.ext4`]);
  }, 300_000);

  it('want a partition that they fit in, where somebody has chosen its size', async () => {
    await expect(build('small', '32MiB')).rejects.toMatchObject({ code: 'OSB_IMAGE_TOO_LARGE', message: expect.stringMatching(/data holds 32.0 MiB but needs .* \(preloaded applications\)/), hint: expect.stringContaining('disk.data: ') });
  }, 120_000);

  it('start from that partition on a device without a network, in containers that see files as the image has them', async () => {
    await lab.signalDaemon('SIGTERM');
    await registry.close();
    keeper = prepareKeeper(lab, { data: join(work, 'data.ext4') });
    const bound = lab.run(['sh', '-ec', `rm -rf ${lab.dataRoot}; mkdir ${lab.dataRoot}; mount --bind /mnt/data/minke ${lab.dataRoot}`]);
    expect(bound).toMatchObject({ code: 0 });
    await lab.startDaemon();
    keeper.start();
    const { services } = await keeper.settled();
    expect(services).toMatchObject([{ name: 'web', state: 'running' }]);
    expect(lab.ok('exec', 'apps-web-1', 'sh', '-c', 'echo $WORD; cd /odd; ls -A; stat -c "%a %u:%g %h %Y" owned linked; readlink soft; ls /hidden')).toBe('preloaded\nlinked\nowned\nsoft\n4750 1234:70000 2 1790000000\n4750 1234:70000 2 1790000000\nowned\nnew');
    expect(keeper.log()).not.toContain('pull');
    const owned = lab.run(['sh', '-c', `find ${lab.dataRoot}/layers -path '*/diff/odd/owned'`]).stdout.trim();
    // Every file is what its layer's hash says.
    expect(lab.run([binary, '-H', `unix://${lab.socket}`, 'system', 'check'])).toMatchObject({ code: 0 });
    expect(lab.ok('images', '--digests', '--format', '{{.Repository}}:{{.Tag}} {{.Digest}}')).toMatch(new RegExp(`^${registry.address}/team/web:1 sha256:[0-9a-f]{64}$`));
    expect(lab.run(['sh', '-c', `ls -A /mnt/data /mnt/data/apps; stat -c '%a %u:%g %n' /mnt/data/minke /mnt/data/apps/web.env`]).stdout).toBe('/mnt/data:\napps\nlost+found\nminke\nminke-applications\n\n/mnt/data/apps:\ncompose.yaml\nweb.env\n711 0:0 /mnt/data/minke\n644 0:0 /mnt/data/apps/web.env\n');
    await keeper.kill('SIGTERM');
    lab.ok('rm', '-f', 'apps-web-1');
    await lab.signalDaemon('SIGTERM');
    lab.run(['umount', lab.dataRoot]);
    expect(lab.run(['umount', '/mnt/data'])).toMatchObject({ code: 0 });
    // What is written to a file system that is mounted may be half there when the file below it is read.
    expect(execFileSync('debugfs', ['-R', `ea_list ${owned.replace(lab.dataRoot, '/minke')}`, join(work, 'data.ext4')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })).toMatch(/security\.capability \(20\)[\s\S]*user\.colour \(4\) = "blue"/);
  }, 120_000);
}, { image: false, obstacle });
