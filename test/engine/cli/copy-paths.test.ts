import { describe, expect, it } from 'vitest';
import { absolutePath, cleanPath, followedSource, linkDestination, parseCopyPlace, planCopy, splitEntry } from '../../../src/engine/cli/copy/copy-paths.ts';

describe('the ends of a copy', () => {
  it('tells containers from paths of this machine', () => {
    expect(parseCopyPlace('box:/a:b')).toEqual({ container: 'box', path: '/a:b' });
    for (const path of ['/a:b', './a:b', '.:x', 'plain', '-']) expect(parseCopyPlace(path)).toEqual({ container: '', path });
  });

  it.each([
    ['/a/./b//c/', '/a/b/c'], ['/..', '/'], ['/../x', '/x'], ['/a/../../b', '/b'], ['a/../../b', '../b'], ['', '.'], ['./', '.'], ['/', '/'], ['a/..', '.'], ['/...', '/...'],
  ])('cleans %j to %j', (path, clean) => expect(cleanPath(path)).toBe(clean));

  it.each([
    ['x', '/w/x'], ['x/', '/w/x/'], ['x/.', '/w/x/.'], ['.', '/w/.'], ['..', '/'], ['/a/../b/', '/b/'], ['/.', '/.'], ['/', '/'],
  ])('keeps the end of %j: %j', (path, absolute) => expect(absolutePath('/w', path)).toBe(absolute));

  it.each([
    ['/a/b', { folder: '/a', base: 'b' }], ['/a/b/', { folder: '/a', base: 'b' }], ['/a/.', { folder: '/a', base: '.' }], ['/a', { folder: '/', base: 'a' }],
    ['/', { folder: '/', base: '/' }], ['/.', { folder: '/', base: '.' }], ['a', { folder: '.', base: 'a' }], ['t/there', { folder: 't', base: 'there' }],
  ])('takes %j apart', (path, parts) => expect(splitEntry(path)).toEqual(parts));

  it('follows links as text', () => {
    expect(linkDestination('/a/link', '../b')).toBe('/b');
    expect(linkDestination('/a/link', '/b/')).toBe('/b/');
    expect(followedSource('/a/link', '/b/target')).toEqual({ path: '/b/target', name: 'link' });
    expect(followedSource('/a/link/.', '/b/target')).toEqual({ path: '/b/target/.' });
    expect(followedSource('/a/same', '/b/same')).toEqual({ path: '/b/same' });
  });
});

describe('where a copy goes', () => {
  it('goes into a folder, over a file, or under a new name', () => {
    for (const isFolder of [true, false]) expect(planCopy(isFolder, { path: '/d/', kind: 'folder' })).toEqual({ folder: '/d/' });
    expect(planCopy(false, { path: '/d/f', kind: 'file' })).toEqual({ folder: '/d', name: 'f' });
    expect(planCopy(false, { path: '/d/new', kind: 'missing' })).toEqual({ folder: '/d', name: 'new' });
    expect(planCopy(true, { path: '/d/new/', kind: 'missing' })).toEqual({ folder: '/d', name: 'new' });
  });

  it('refuses a folder over a file, and a file in a folder that is missing', () => {
    expect(() => planCopy(true, { path: '/d/f', kind: 'file' })).toThrow('cannot copy directory');
    expect(() => planCopy(false, { path: '/d/new/', kind: 'missing' })).toThrow('no such directory');
  });
});
