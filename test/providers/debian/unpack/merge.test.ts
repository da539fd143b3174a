import { describe, expect, test } from 'vitest';
import { newEntry, type TreeNode } from '../../../../src/providers/debian/tar/index.ts';
import { mergePackages, usrMerged, type PackageFiles } from '../../../../src/providers/debian/unpack/merge.ts';

function file(path: string, text: string): TreeNode {
  return { entry: newEntry(path, 'file', { sizeBytes: text.length }), content: { bytes: Buffer.from(text) } };
}
const folder = (path: string, mode = 0o755): TreeNode => ({ entry: newEntry(path, 'folder', { mode }), content: null });
const link = (path: string, target: string): TreeNode => ({ entry: newEntry(path, 'link', { target }), content: null });
const pack = (name: string, nodes: TreeNode[], replaces: string[] = []): PackageFiles => ({ name, nodes, replaces: new Set(replaces), excludedFolders: new Map() });
const same = (a: TreeNode, b: TreeNode): Promise<boolean> => Promise.resolve(JSON.stringify(a.content) === JSON.stringify(b.content));

describe('merging packages', () => {
  test('files below merged folders and below links of other packages move to where those lead', async () => {
    const { tree, conflicts } = await mergePackages([pack('base', [folder('var'), link('var/run', '/run'), folder('run')]), pack('x', [folder('var/run'), file('var/run/pid', '1'), folder('lib'), file(usrMerged('lib/x.so'), 'x')])], same);
    expect(conflicts).toEqual([]);
    expect(tree.get('var/run')?.entry.type).toBe('link');
    expect(tree.has('run/pid')).toBe(true);
    expect(tree.has('usr/lib/x.so')).toBe(true);
    expect(tree.get('lib')?.entry.target).toBe('usr/lib');
  });

  test('a folder keeps the mode of the first package, equal files do not clash, parents are made', async () => {
    const { tree, conflicts } = await mergePackages([pack('a', [folder('etc', 0o700), file('doc/x', 'same')]), pack('b', [folder('etc'), file('doc/x', 'same')])], same);
    expect(conflicts).toEqual([]);
    expect(tree.get('etc')?.entry.mode).toBe(0o700);
    expect(tree.get('doc')?.entry.type).toBe('folder');
  });

  test('different content is a conflict, unless one replaces the other', async () => {
    const clash = await mergePackages([pack('a', [file('usr/bin/x', 'a')]), pack('b', [file('usr/bin/x', 'b')])], same);
    expect(clash.conflicts).toEqual([{ path: 'usr/bin/x', packages: ['a', 'b'] }]);
    for (const packages of [[pack('a', [file('x', 'a')], ['b']), pack('b', [file('x', 'b')])], [pack('b', [file('x', 'b')]), pack('a', [file('x', 'a')], ['b'])]]) {
      const { tree, conflicts } = await mergePackages(packages, same);
      expect(conflicts).toEqual([]);
      expect(tree.get('x')?.content).toEqual({ bytes: Buffer.from('a') });
    }
  });

  test('a link and a file of two packages at one path are a conflict', async () => {
    const { conflicts } = await mergePackages([pack('a', [file('usr/bin/x', 'a')]), pack('b', [link('usr/bin/x', 'y')])], same);
    expect(conflicts).toHaveLength(1);
  });
});
