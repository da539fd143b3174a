import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { imageConfig, oldStyleArchive, sha256 } from '../support/docker-archive.ts';
import { IMAGE, waitFor } from '../support/lab.ts';
import { rootfsTar } from '../support/rootfs-tar.ts';
import { tarEntry, tarFile, tarFolder, tarHardlink, tarOf, tarSymlink } from '../support/tar-writer.ts';

const SAVED_ID = '{{.Id}} {{json .RootFS.Layers}}';

describeLab('docker save', (lab) => {
  const base = rootfsTar();
  const load = (archive: Buffer) => lab.run(['docker', 'load'], archive);
  const saveTo = (name: string, ...images: string[]): string => {
    const path = join(lab.folder, name);
    lab.ok('save', '-o', path, ...images);
    return path;
  };
  const entries = (archive: string): string[] => spawnSync('tar', ['-tf', archive]).stdout.toString().trim().split('\n');
  const entry = (archive: string, path: string): Buffer => spawnSync('tar', ['-xOf', archive, path], { maxBuffer: 1 << 28 }).stdout;
  /** Saves, removes, loads again: the same image, whose layers are what they were byte by byte. */
  const roundTrip = (image: string, layers: readonly Buffer[]): void => {
    const before = lab.ok('inspect', '-f', SAVED_ID, image);
    const archive = saveTo('round.tar', image);
    for (const layer of layers) expect(entry(archive, `blobs/sha256/${sha256(layer)}`).equals(layer)).toBe(true);
    lab.ok('rmi', '-f', image);
    expect(lab.ok('load', '-i', archive)).toBe(`Loaded image: ${image}`);
    expect(lab.ok('inspect', '-f', SAVED_ID, image)).toBe(before);
    const again = saveTo('again.tar', image);
    expect(readFileSync(again).equals(readFileSync(archive))).toBe(true);
    rmSync(archive);
    rmSync(again);
  };

  it('writes the layout of Docker 26: an OCI layout with manifest.json and repositories beside it', () => {
    lab.ok('tag', IMAGE, 'localhost:5000/team/app:1');
    const archive = saveTo('layout.tar', 'localhost:5000/team/app:1');
    const id = lab.ok('inspect', '-f', '{{.Id}}', IMAGE).slice('sha256:'.length);
    const [layer = ''] = JSON.parse(lab.ok('inspect', '-f', '{{json .RootFS.Layers}}', IMAGE)) as string[];
    expect(entries(archive)).toEqual(['blobs/', 'blobs/sha256/', expect.any(String), expect.any(String), expect.any(String), 'index.json', 'manifest.json', 'oci-layout', 'repositories']);
    const layerBlob = `blobs/sha256/${layer.slice('sha256:'.length)}`;
    const size = entry(archive, layerBlob).length;
    expect(JSON.parse(entry(archive, 'manifest.json').toString())).toEqual([
      { Config: `blobs/sha256/${id}`, RepoTags: ['localhost:5000/team/app:1'], Layers: [layerBlob], LayerSources: { [layer]: { mediaType: 'application/vnd.oci.image.layer.v1.tar', size, digest: layer } } },
    ]);
    expect(JSON.parse(entry(archive, 'repositories').toString())).toEqual({ 'localhost:5000/team/app': { '1': layer.slice('sha256:'.length) } });
    expect(JSON.parse(entry(archive, 'oci-layout').toString())).toEqual({ imageLayoutVersion: '1.0.0' });
    const index = JSON.parse(entry(archive, 'index.json').toString()) as { manifests: { digest: string; size: number; annotations: object }[] };
    expect(index.manifests[0]?.annotations).toEqual({ 'io.containerd.image.name': 'localhost:5000/team/app:1', 'org.opencontainers.image.ref.name': '1' });
    const manifest = entry(archive, `blobs/sha256/${index.manifests[0]?.digest.slice('sha256:'.length) ?? ''}`);
    expect(manifest.length).toBe(index.manifests[0]?.size);
    expect(JSON.parse(manifest.toString())).toMatchObject({ config: { digest: `sha256:${id}` }, layers: [{ digest: layer, size }] });
    for (const path of entries(archive).filter((path) => /^blobs\/sha256\/./.test(path))) expect(`blobs/sha256/${sha256(entry(archive, path))}`).toBe(path);
    // And as an OCI layout alone.
    const folder = mkdtempSync(join(lab.folder, 'layout-'));
    spawnSync('tar', ['-xf', archive, '-C', folder]);
    rmSync(join(folder, 'manifest.json'));
    lab.ok('rmi', 'localhost:5000/team/app:1');
    expect(load(spawnSync('tar', ['-cC', folder, '.'], { maxBuffer: 1 << 28 }).stdout).stdout).toBe('Loaded image: localhost:5000/team/app:1\n');
    lab.ok('rmi', 'localhost:5000/team/app:1');
  });

  it('gives links, attributes, long names, removals and holes back as they came', () => {
    const long = `deep/${'name-'.repeat(40)}end`;
    const layer = tarOf([
      tarFolder('kept', { mode: 0o2750, uid: 12, gid: 34, mtime: 1_500_000_000 }),
      tarFile('kept/file', 'content', { mode: 0o4755, uid: 1000, gid: 1001, mtime: 1_600_000_000 }),
      tarHardlink('kept/hard', 'kept/file'),
      tarSymlink('kept/dangling', '/nowhere'),
      tarEntry({ path: 'kept/fifo', flag: '6' }),
      tarEntry({ path: 'kept/zero', flag: '3', major: 1, minor: 5, mode: 0o666 }),
      tarFile('short', 'long', { pax: { path: long, uid: '70000', mtime: '1600000001.5', 'SCHILY.xattr.user.note': Buffer.from([1, 2, 0, 255]) } }),
      tarFile('name with\nline end and \u{1f433}', 'x'),
      tarEntry({ path: 'ignored/by/type', flag: 'V', content: Buffer.from('volume header') }),
      tarFile('data/.wh.seed', ''),
      tarFile('kept/.wh.full', 'content where none belongs'),
      tarFile('var/.wh..wh..opq', ''),
      tarFile('.wh..wh.plnk', 'aufs'),
      tarEntry({
        path: 'sparse', flag: '0', content: Buffer.from('AABB'),
        pax: { 'GNU.sparse.major': '0', 'GNU.sparse.minor': '1', 'GNU.sparse.name': 'holes', 'GNU.sparse.size': '1000000', 'GNU.sparse.map': '0,2,999998,2', size: '4' },
      }),
    ]);
    // What stands behind the end counts for the digest too.
    const tailed = Buffer.concat([layer, Buffer.alloc(9 * 512), Buffer.from('rest')]);
    expect(load(oldStyleArchive('meta:1', [{ tar: base }, { tar: tailed }])).stderr).toBe('');
    roundTrip('meta:1', [base, tailed]);
  });

  it('gives back what entries of the same archive have replaced', () => {
    const layer = tarOf([
      tarFile('twice', 'first'),
      tarFile('twice', 'second'),
      tarFile('twice', 'third'),
      tarFolder('tree'), tarFile('tree/leaf', 'old leaf'), tarFile('tree/deep/leaf', 'deep leaf'),
      tarFile('tree', 'now a file'),
      tarFolder('real'), tarSymlink('alias', 'real'), tarFile('alias/x', 'through the link'), tarFile('real/x', 'directly'), tarFile('alias/x', 'once more'),
      tarSymlink('alias', 'tree'), tarFile('gone', 'gone soon'), tarFile('.wh.gone', ''),
      tarFile('linked', 'shared'), tarHardlink('other', 'linked'), tarFile('linked', 'own'), tarFile('other', 'own too'),
    ]);
    expect(load(oldStyleArchive('replaced:1', [{ tar: base }, { tar: layer }])).stderr).toBe('');
    expect(lab.ok('run', '--rm', 'replaced:1', 'sh', '-c', 'cat /twice /tree /real/x /linked /other; test ! -e /gone')).toBe('thirdnow a fileonce moreownown too');
    roundTrip('replaced:1', [base, layer]);
  });

  it.each([['gnu'], ['pax'], ['ustar'], ['v7']])('gives an archive of GNU tar back (%s)', (format) => {
    const folder = mkdtempSync(join(lab.folder, 'tree-'));
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    writeFileSync(join(folder, 'a/one'), 'one');
    spawnSync('ln', [join(folder, 'a/one'), join(folder, 'a/b/two')]);
    if (format === 'gnu' || format === 'pax') {
      mkdirSync(join(folder, 'd'.repeat(120)));
      writeFileSync(join(folder, 'd'.repeat(120), 'f'.repeat(150)), 'long');
      spawnSync('sh', ['-c', 'truncate -s 50M holes; for at in $(seq 1 49); do printf x | dd of=holes bs=1 seek=$((at * 1000000)) conv=notrunc status=none; done', 'sh'], { cwd: folder });
      spawnSync('setfattr', ['-n', 'user.note', '-v', 'text', join(folder, 'a/one')]);
    }
    const sparse = format === 'gnu' || format === 'pax' ? ['--sparse'] : [];
    const made = spawnSync('tar', [`--format=${format}`, ...sparse, ...(format === 'pax' ? ['--xattrs'] : []), '-cC', folder, '.'], { maxBuffer: 1 << 28 });
    expect(made.stderr.toString()).toBe('');
    expect(load(oldStyleArchive(`gnu:${format}`, [{ tar: base }, { tar: made.stdout, blob: gzipSync(made.stdout) }])).stderr).toBe('');
    roundTrip(`gnu:${format}`, [made.stdout]);
    rmSync(folder, { recursive: true });
  });

  it('saves what containers were committed to and what was imported', () => {
    const id = lab.ok('create', IMAGE, 'sh', '-c', 'echo text > /new; rm /var/www/index.html; rm -rf /data; mkdir /data; ln /new /link');
    lab.ok('start', '-a', id);
    lab.ok('commit', id, 'made:one');
    lab.ok('rm', id);
    roundTrip('made:one', []);
    expect(lab.ok('run', '--rm', 'made:one', 'sh', '-c', 'cat /link; ls -A /data /var/www')).toBe('text\n/data:\n\n/var/www:');
  });

  it('saves many images in one archive, each layer once', () => {
    lab.ok('tag', IMAGE, 'many:1');
    lab.ok('tag', IMAGE, 'many:2');
    const archive = saveTo('many.tar', 'many', 'made:one', lab.ok('inspect', '-f', '{{.Id}}', 'meta:1'));
    const manifest = JSON.parse(entry(archive, 'manifest.json').toString()) as { RepoTags: string[] | null; Layers: string[] }[];
    expect(manifest.map(({ RepoTags }) => RepoTags)).toEqual([['many:1', 'many:2'], ['made:one'], null]);
    const paths = entries(archive);
    expect(new Set(paths).size).toBe(paths.length);
    lab.ok('rmi', 'many:1', 'many:2', 'made:one');
    expect(lab.ok('load', '-i', archive).split('\n').slice(0, 3)).toEqual(['Loaded image: many:1', 'Loaded image: many:2', 'Loaded image: made:one']);
    // Standard output, and the engine's own command line.
    const piped = lab.run(['sh', '-c', `docker save many:1 | sha256sum; ${process.env['OSBUILD_ENGINE_BINARY'] ?? ''} -H unix://${lab.socket} save many:1 | sha256sum`]).stdout.trim().split('\n');
    expect(piped).toHaveLength(2);
    expect(piped[0]).toBe(piped[1]);
    lab.ok('rmi', 'many:1', 'many:2');
    expect(lab.docker('save', 'nothing:here').stderr).toContain('No such image: nothing:here');
    expect(lab.docker('save', IMAGE, 'nothing').stderr).toContain('No such image: nothing');
    rmSync(archive);
  });

  it('keeps the layers of an image that is removed meanwhile', async () => {
    const big = tarOf([tarFile('big', Buffer.alloc(15_000_000, 3))]);
    expect(load(oldStyleArchive('going:1', [{ tar: base }, { tar: big }])).code).toBe(0);
    const out = join(lab.folder, 'slow.tar');
    const child = lab.spawn(['sh', '-c', `docker save going:1 | (dd bs=512 count=1 of=${out} status=none; touch ${out}.begun; sleep 2; cat >> ${out})`]);
    const ended = new Promise((resolve) => child.once('close', resolve));
    await waitFor(() => existsSync(`${out}.begun`), 30_000);
    lab.ok('rmi', 'going:1');
    await ended;
    expect(entry(out, `blobs/sha256/${sha256(big)}`).equals(big)).toBe(true);
    const folder = sha256(big).slice(0, 16);
    await waitFor(() => !readdirSync(`${lab.dataRoot}/layers`).includes(folder));
    rmSync(out);
  }, 180_000);

  it('takes 30,000 small files with bounded memory', async () => {
    const path = join(lab.folder, 'small-files.tar');
    const fd = openSync(path, 'w');
    for (let folder = 0; folder < 30; folder += 1) {
      const parts = [tarFolder(`f${folder}`)];
      for (let number = 0; number < 1000; number += 1) parts.push(tarFile(`f${folder}/file-${number}`, `${folder} ${number}\n`));
      writeSync(fd, Buffer.concat(parts));
    }
    writeSync(fd, Buffer.alloc(1024));
    closeSync(fd);
    lab.ok('import', path, 'small:1');
    const peak = (): number => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${lab.daemonPid()}/status`, 'utf8'))?.[1]);
    writeFileSync(`/proc/${lab.daemonPid()}/clear_refs`, '5');
    const before = peak();
    const archive = saveTo('small.tar', 'small:1');
    expect(peak() - before).toBeLessThan(16 * 1024);
    const [layer = ''] = JSON.parse(lab.ok('inspect', '-f', '{{json .RootFS.Layers}}', 'small:1')) as string[];
    const sum = spawnSync('sh', ['-c', `tar -xOf ${archive} blobs/sha256/${layer.slice(7)} | cmp - ${path}`]);
    expect([sum.status, sum.stdout.toString()]).toEqual([0, '']);
    const record = readdirSync(`${lab.dataRoot}/layers`).map((name) => `${lab.dataRoot}/layers/${name}/tar-record.gz`).filter((name) => existsSync(name)).map((name) => statSync(name).size);
    expect(Math.max(...record)).toBeLessThan(4_000_000);
    for (const file of [path, archive]) rmSync(file);
    lab.ok('rmi', 'small:1');
  }, 400_000);

  it('says so when a layer’s files have changed, and of layers without a record; a load mends those', async () => {
    expect(load(oldStyleArchive('frail:1', [{ tar: base }, { tar: tarOf([tarFile('frail', 'as it was')]) }])).code).toBe(0);
    const folder = `${lab.dataRoot}/layers/${sha256(tarOf([tarFile('frail', 'as it was')])).slice(0, 16)}`;
    writeFileSync(`${folder}/diff/frail`, 'otherwise');
    const damaged = lab.docker('save', '-o', join(lab.folder, 'damaged.tar'), 'frail:1');
    expect(damaged.code).not.toBe(0);
    expect(lab.daemonLog()).toContain('cannot be read');
    writeFileSync(`${folder}/diff/frail`, 'as it was');
    await lab.signalDaemon('SIGTERM');
    const document = JSON.parse(readFileSync(`${folder}/layer.json`, 'utf8')) as { tarBytes?: number };
    delete document.tarBytes;
    writeFileSync(`${folder}/layer.json`, JSON.stringify(document));
    rmSync(`${folder}/tar-record.gz`);
    await lab.startDaemon();
    const refused = lab.docker('save', '-o', join(lab.folder, 'old.tar'), 'frail:1');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('cannot be made again') as string]);
    expect(load(oldStyleArchive('frail:1', [{ tar: base }, { tar: tarOf([tarFile('frail', 'as it was')]) }])).code).toBe(0);
    roundTrip('frail:1', [tarOf([tarFile('frail', 'as it was')])]);
    expect(readdirSync(`${lab.dataRoot}/tmp`)).toEqual([]);
  });

  it('saves an image without layers', () => {
    const config = imageConfig([]);
    expect(load(oldStyleArchive('empty:1', [], config)).code).toBe(0);
    roundTrip('empty:1', []);
  });
});
