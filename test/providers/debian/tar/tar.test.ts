import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, linkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addTar, indexTar, newEntry, putFile, putFolder, putLink, readText, readTar, realPath, writeTar, writeTree, type RootTree } from '../../../../src/providers/debian/tar/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-tar-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const longName = `deep/${'directory/'.repeat(14)}file-with-ünïcode`;

describe('tar', () => {
  test('refuses a member whose size is no number', () => {
    const file = path.join(folder, 'bad.tar');
    writeFileSync(path.join(folder, 'a'), 'a');
    for (const size of ['x', '-9']) {
      execFileSync('tar', ['--format=pax', `--pax-option=size:=${size}`, '-cf', file, '-C', folder, 'a']);
      expect(() => indexTar(file), size).toThrow('a size that is no number');
    }
  });

  test('reads what GNU tar writes: long names, links, hard links, in any split of the stream', async () => {
    const source = path.join(folder, 'source');
    mkdirSync(path.join(source, path.dirname(longName)), { recursive: true });
    writeFileSync(path.join(source, longName), 'x'.repeat(1000));
    symlinkSync(`/${'target/'.repeat(30)}end`, path.join(source, 'link'));
    writeFileSync(path.join(source, 'a'), '');
    linkSync(path.join(source, longName), path.join(source, 'hard'));
    for (const format of ['gnu', 'pax']) {
      const file = path.join(folder, `${format}.tar`);
      execFileSync('tar', [`--format=${format}`, '--sort=name', '-cf', file, '-C', source, '.']);
      const seen = new Map<string, string>();
      for await (const { entry, data } of readTar(createReadStream(file, { highWaterMark: 700 }))) {
        let size = 0;
        for await (const piece of data()) size += piece.length;
        seen.set(entry.path, `${entry.type} ${size} ${entry.target.length}`);
      }
      expect(seen.get(longName)).toMatch(/^(file 1000 0|hardlink 0 4)$/);
      expect(seen.get('link')).toBe('link 0 214');
      expect(seen.get('a')).toBe('file 0 0');
      expect(indexTar(file).map(({ path: name }) => name)).toEqual([...seen.keys()]);
    }
  });

  test('GNU tar reads what we write, extended attributes and hard links included', async () => {
    const tree: RootTree = new Map();
    putFolder(tree, 'usr/bin');
    putFile(tree, 'usr/bin/ping', 'ping', { mode: 0o755, xattrs: { 'security.capability': Buffer.from([1, 0, 0, 2, 0, 32, 0, 0]) } });
    tree.set('usr/bin/zing', { entry: newEntry('usr/bin/zing', 'hardlink', { target: 'usr/bin/ping' }), content: null });
    tree.set('usr/bin/aing', { entry: newEntry('usr/bin/aing', 'hardlink', { target: 'usr/bin/ping' }), content: null });
    putFile(tree, longName, 'long', { uid: 4242, gid: 65_534, mode: 0o4711 });
    putLink(tree, 'bin', 'usr/bin');
    const file = path.join(folder, 'out.tar');
    const digests = new Map<string, string>();
    const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
    expect(await writeTree(tree, file, 1000, undefined, digests)).toBe(sha256(readFileSync(file)));
    expect([...digests]).toEqual(expect.arrayContaining([['usr/bin/aing', sha256('ping')], [longName, sha256('long')]]));
    expect(digests.size).toBe(2);
    const listing = execFileSync('tar', ['--numeric-owner', '-tvf', file], { encoding: 'utf8' });
    expect(listing).toMatch(/-rws--x--x 4242\/65534/);
    expect(listing).toMatch(/usr\/bin\/ping link to usr\/bin\/aing/);
    expect(execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-vvtf', file], { encoding: 'utf8' })).toContain('security.capability');
    const again: RootTree = new Map();
    addTar(again, file);
    expect(readText(again, 'bin/ping')).toBe('ping');
    expect(readText(again, 'bin/zing')).toBe('ping');
    expect(readText(again, longName)).toBe('long');
    const second = path.join(folder, 'second.tar');
    await writeTree(again, second, 1000);
    expect(readFileSync(second).equals(readFileSync(file))).toBe(true);
  });

  test('a path that leaves the archive, a damaged header and a cut archive are refused', async () => {
    const evil = path.join(folder, 'evil.tar');
    writeFileSync(path.join(folder, 'x'), 'x');
    execFileSync('tar', ['-cPf', evil, '--transform=s,.*,../../outside,', path.join(folder, 'x')]);
    expect(() => indexTar(evil)).toThrow(/leaves the archive/);
    const damaged = readFileSync(evil);
    damaged[0] = 0x41;
    writeFileSync(path.join(folder, 'damaged.tar'), damaged);
    expect(() => indexTar(path.join(folder, 'damaged.tar'))).toThrow(/checksum/);
    writeFileSync(path.join(folder, 'cut.tar'), readFileSync(evil).subarray(0, 700));
    const read = async (): Promise<void> => {
      for await (const { data } of readTar(createReadStream(path.join(folder, 'cut.tar')))) for await (const _ of data());
    };
    await expect(read()).rejects.toThrow(/leaves the archive|in the middle/);
  });

  test('a writer notices data that does not match the header', async () => {
    const writer = await writeTar(path.join(folder, 'w.tar'));
    await writer.add(newEntry('a', 'file', { sizeBytes: 3 }));
    await expect(writer.write(Buffer.from('four'))).rejects.toThrow(/more data/);
    await writer.abort();
  });

  test('links are followed inside the tree, and circles are noticed', () => {
    const tree: RootTree = new Map();
    putLink(tree, 'var/run', '/run');
    putLink(tree, 'lib', 'usr/lib');
    putLink(tree, 'a', 'b');
    putLink(tree, 'b', 'a');
    putFile(tree, 'var/run/x', 'x');
    expect(tree.has('run/x')).toBe(true);
    expect(realPath(tree, 'lib/../../../etc/passwd')).toBe('etc/passwd');
    expect(() => realPath(tree, 'a/x')).toThrow(/circle/);
  });
});
