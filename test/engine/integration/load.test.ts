import { existsSync, readdirSync } from 'node:fs';
import * as zlib from 'node:zlib';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { imageConfig, ociArchive, oldStyleArchive, sha256 } from '../support/docker-archive.ts';
import { labFile } from '../support/lab.ts';
import { rootfsTar } from '../support/rootfs-tar.ts';
import { tarEntry, tarFile, tarFolder, tarHardlink, tarOf, tarSymlink } from '../support/tar-writer.ts';

const { gzipSync } = zlib;
/** Node.js 20 has none. */
const zstdCompressSync = (zlib as { zstdCompressSync?: (data: Buffer) => Buffer }).zstdCompressSync;

describeLab('docker load', (lab) => {
  const base = rootfsTar();
  const load = (archive: Buffer) => lab.run(['docker', 'load'], archive);
  const inside = (name: string, script: string): string => lab.ok('run', '--rm', name, 'sh', '-c', script);

  it('takes what docker save wrote before version 25', () => {
    expect(load(oldStyleArchive('old:1', [{ tar: base }])).stdout).toBe('Loaded image: old:1\n');
    expect(inside('old:1', 'cat /data/seed')).toBe('seeded');
    expect(lab.ok('inspect', '-f', '{{.Id}}', 'old:1')).toBe(`sha256:${sha256(imageConfig([base]))}`);
  });

  it('takes an OCI layout, compressed or not', () => {
    expect(load(ociArchive('docker.io/library/oci:1', [{ tar: base, blob: gzipSync(base) }])).stdout).toBe('Loaded image: oci:1\n');
    expect(inside('oci:1', 'echo fine')).toBe('fine');
    if (zstdCompressSync !== undefined) expect(load(ociArchive('zstd:1', [{ tar: base, blob: zstdCompressSync(base) }])).code).toBe(0);
    expect(load(gzipSync(ociArchive('outer:1', [{ tar: base }]))).stdout).toBe('Loaded image: outer:1\n');
    expect(readdirSync(`${lab.dataRoot}/layers`)).toHaveLength(1);
  });

  it('stacks layers, with removals and opaque directories', () => {
    const upper = tarOf([
      tarFolder('data'),
      tarFile('data/.wh.seed', ''),
      tarFile('data/new', 'new'),
      tarFolder('var'),
      tarFile('var/.wh..wh..opq', ''),
      tarFile('var/only', 'only'),
      tarFile('.wh.root', ''),
    ]);
    expect(load(oldStyleArchive('stack:1', [{ tar: base }, { tar: upper }])).code).toBe(0);
    expect(inside('stack:1', 'ls /data; ls /var; ls -d /root 2>/dev/null || echo no root')).toBe('new\nonly\nno root');
  });

  it('keeps owners, modes, times, links, attributes, devices, long names and holes', () => {
    const long = `deep/${'name-'.repeat(40)}end`;
    const layer = tarOf([
      tarFolder('kept', { mode: 0o2750, uid: 12, gid: 34, mtime: 1_500_000_000 }),
      tarFile('kept/file', 'content', { mode: 0o4755, uid: 1000, gid: 1001, mtime: 1_600_000_000 }),
      tarHardlink('kept/hard', 'kept/file'),
      tarSymlink('kept/soft', '../kept/file'),
      tarSymlink('kept/dangling', '/nowhere'),
      tarEntry({ path: 'kept/fifo', flag: '6' }),
      tarEntry({ path: 'kept/zero', flag: '3', major: 1, minor: 5, mode: 0o666 }),
      tarFile('short', 'long', { pax: { path: long, uid: '70000', mtime: '1600000001.5', 'SCHILY.xattr.user.note': Buffer.from([1, 2, 0, 255]) } }),
      tarEntry({ path: 'ignored/by/type', flag: 'V', content: Buffer.from('volume header') }),
      tarEntry({
        path: 'sparse', flag: '0', content: Buffer.from('AABB'),
        pax: { 'GNU.sparse.major': '0', 'GNU.sparse.minor': '1', 'GNU.sparse.name': 'holes', 'GNU.sparse.size': '1000000', 'GNU.sparse.map': '0,2,999998,2', size: '4' },
      }),
    ]);
    expect(load(oldStyleArchive('meta:1', [{ tar: base }, { tar: layer }])).stderr).toBe('');
    expect(inside('meta:1', 'stat -c "%a %u %g %Y" /kept /kept/file; stat -c %h /kept/hard; readlink /kept/soft; readlink /kept/dangling; ls -l /kept/zero | cut -c1; ls -l /kept/fifo | cut -c1')).toBe(
      '2750 12 34 1500000000\n4755 1000 1001 1600000000\n2\n../kept/file\n/nowhere\nc\np',
    );
    expect(inside('meta:1', `stat -c "%u %s" /${long}; ls /ignored 2>/dev/null; stat -c %s /holes; head -c 2 /holes; tail -c 2 /holes; du -k /holes | cut -f1`)).toMatch(/^70000 4\n1000000\nAABB(\d|1\d)$/);
  });

  it('lets nothing out of the layer', () => {
    const target = labFile(lab, 'outside/victim', 'untouched');
    const out = `${lab.folder}/outside`;
    const attacks: [string, Buffer][] = [
      ['climbing path', tarOf([tarFile('../../../../../..' + target, 'owned')])],
      ['link to a folder outside, then through it', tarOf([tarSymlink('exit', out), tarFile('exit/victim', 'owned')])],
      ['relative link outside, then through it', tarOf([tarSymlink('exit', `../../../../../../../../../..${out}`), tarFile('exit/victim', 'owned')])],
      ['hard link to a file outside', tarOf([tarHardlink('stolen', target), tarFile('stolen', 'owned')])],
      ['hard link that climbs', tarOf([tarHardlink('stolen', `../../../../../../../../../..${target}`)])],
      ['hard link through a link', tarOf([tarSymlink('exit', out), tarHardlink('stolen', 'exit/victim'), tarFile('exit/victim', 'owned')])],
      ['removal through a link', tarOf([tarSymlink('exit', out), tarFile('exit/.wh.victim', '')])],
      ['opaque mark through a link', tarOf([tarSymlink('exit', out), tarFile('exit/.wh..wh..opq', '')])],
      ['file over its own parent', tarOf([tarFolder('a'), tarFile('a/b', 'x'), tarFile('a', 'y'), tarFile('a/b', 'z')])],
      ['root as a file', tarOf([tarFile('.', 'x')])],
    ];
    for (const [what, layer] of attacks) {
      const result = load(oldStyleArchive('evil:1', [{ tar: layer }]));
      expect([what, lab.run(['cat', target]).stdout]).toEqual([what, 'untouched']);
      expect(existsSync(`${out}/.wh.victim`)).toBe(false);
      if (result.code === 0) lab.ok('rmi', 'evil:1');
    }
    expect(readdirSync(out)).toEqual(['victim']);
  });

  it('refuses damage, and leaves nothing of it', () => {
    const good = oldStyleArchive('bad:1', [{ tar: base }]);
    const layers = readdirSync(`${lab.dataRoot}/layers`).length;
    const flipped = Buffer.from(good);
    flipped[700_000] = (flipped[700_000] ?? 0) ^ 1;
    const cases: [string, Buffer, RegExp][] = [
      ['flipped bit in a layer', flipped, /does not have the content|damaged/],
      ['cut short', good.subarray(0, 900_000), /cut short/],
      ['no manifest', tarOf([tarFile('hello', 'x')]), /neither manifest.json nor index.json/],
      ['manifest that is no JSON', tarOf([tarFile('manifest.json', '{')]), /not JSON/],
      ['layer that is not there', tarOf([tarFile('manifest.json', JSON.stringify([{ Config: 'c.json', RepoTags: ['x:1'], Layers: ['l.tar'] }])), tarFile('c.json', imageConfig([Buffer.from('other')]))]), /lacks the layer/],
      ['no archive, and much of it', Buffer.alloc(64 * 1024 * 1024, 'no archive'), /checksum|not a tar/],
      ['size beyond the end', tarOf([tarEntry({ path: 'x/layer.tar', flag: '0', size: 1_000_000 })]), /cut short/],
      // How far it is read depends on the room that the disk has.
      ['absurd size', tarOf([tarEntry({ path: 'x/layer.tar', flag: '0', size: 8 ** 11 - 1 })]), /cut short|no space left on device: the layer has at least 8590 MB/],
      ['absurd PAX size', tarOf([tarFile('f', '', { pax: { size: '99999999999999999999' } })]), /impossible size/],
      ['damaged gzip', ociArchive('bad:2', [{ tar: base, blob: Buffer.concat([gzipSync(base).subarray(0, 5000), Buffer.alloc(5000, 7)]) }]), /damaged/],
      ['truncated gzip', ociArchive('bad:3', [{ tar: base, blob: gzipSync(base).subarray(0, 5000) }]), /damaged/],
      ['wrong blob digest', Buffer.from(ociArchive('bad:4', [{ tar: base }]).toString('latin1').replaceAll(sha256(base), sha256('else')), 'latin1'), /checksum|other content|lacks|missing/],
    ];
    for (const [what, archive, complaint] of cases) {
      const result = load(archive);
      expect([what, result.code, result.stderr]).toEqual([what, 1, expect.stringMatching(complaint) as string]);
      expect([what, readdirSync(`${lab.dataRoot}/tmp`)]).toEqual([what, []]);
    }
    expect(readdirSync(`${lab.dataRoot}/layers`)).toHaveLength(layers);
    expect(load(good).code).toBe(0);
  });

  it('says so when the disk is full, and works again when it is not', async () => {
    const small = `${lab.folder}/small`;
    lab.run(['sh', '-c', `mkdir ${small} && mount -t tmpfs -o size=12m tmpfs ${small}`]);
    try {
      // A daemon of its own in the first lab's namespaces, where the small disk is.
      const socket = `${lab.folder}/small.sock`;
      const daemon = lab.spawn([process.env['OSBUILD_ENGINE_BINARY'] ?? '', 'daemon', '-H', `unix://${socket}`, '--data-root', `${small}/data`, '--exec-root', `${lab.folder}/small-run`, '--pidfile', '', '--bridge', 'none']);
      const docker = (args: string[], input?: Buffer) => lab.run(['docker', '-H', `unix://${socket}`, ...args], input);
      for (let tries = 0; tries < 50 && docker(['version']).code !== 0; tries += 1) await new Promise((resolve) => setTimeout(resolve, 100));
      const filler = tarOf([tarFile('filler', Buffer.alloc(20_000_000, 1))]);
      const result = docker(['load'], oldStyleArchive('huge:1', [{ tar: base }, { tar: filler }]));
      expect(result.code).toBe(1);
      expect(result.stderr).toContain('no space left on device');
      expect(lab.run(['ls', `${small}/data/tmp`])).toEqual({ code: 0, stdout: '', stderr: '' });
      expect(docker(['load'], oldStyleArchive('fits:1', [{ tar: base }])).stdout).toBe('Loaded image: fits:1\n');
      expect(docker(['rmi', 'fits:1']).code).toBe(0);
      daemon.kill('SIGTERM');
      await new Promise((resolve) => daemon.once('exit', resolve));
    } finally {
      lab.run(['umount', '-l', small]);
    }
  });
}, { image: false });
