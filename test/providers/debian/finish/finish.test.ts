import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { scanSources } from '../../../../src/config/index.ts';
import type { AnyTask, BuildEvent, Executor, Executors, PackageManifest, StepArgs } from '../../../../src/model/index.ts';
import { addTar, readText, type RootTree } from '../../../../src/providers/debian/tar/index.ts';
import { localDebs } from '../../../support/local-debs.ts';
import { providerBuild } from '../../../support/provider-build.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osbuild-finish-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const packages = [
  {
    name: 'base-files',
    files: {
      'usr/share/base-passwd/passwd.master': 'root:*:0:0:root:/root:/bin/bash\n',
      'usr/share/base-passwd/group.master': 'root:*:0:\nshadow:*:42:\n',
      'usr/lib/sysusers.d/x.conf': 'u daemonx 412 "X" /var/lib/x\n',
      'usr/lib/systemd/system/x.service': '[Install]\nWantedBy=multi-user.target\n',
      'usr/bin/helper': 'helper',
      'etc/replaced': 'packaged',
      'usr/bin/mawk': 'mawk',
    },
    scripts: { postinst: '#!/bin/sh\nupdate-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5\n' },
  },
  { name: 'strange', files: { 'usr/bin/strange': 's' }, scripts: { postinst: '#!/bin/sh\nmake-something /etc/strange\n' } },
];

type Recipe = StepArgs['debian/finish']['recipes'][number];

async function finish(recipe: Partial<Recipe>, mode: 'development' | 'production' = 'production', cache = 'cache'): Promise<{ tree: RootTree; tar: Buffer; manifest: PackageManifest; digests: Record<string, string>; events: BuildEvent[] }> {
  const source = path.join(folder, 'recipe');
  for (const [file, text] of Object.entries({ 'files/etc/replaced': 'by recipe', 'files/usr/bin/own': 'own', 'files.production/etc/mode': 'production', 'files.development/etc/mode': 'development' })) {
    mkdirSync(path.dirname(path.join(source, file)), { recursive: true });
    writeFileSync(path.join(source, file), text, { mode: file.includes('bin') ? 0o755 : 0o644 });
  }
  rmSync(path.join(source, 'files/etc/link'), { force: true });
  symlinkSync('/run/x', path.join(source, 'files/etc/link'));
  const debs = localDebs(folder, packages);
  const engine: Executor<'engine/compile'> = (step) => Promise.resolve(copyFileSync(path.join(source, 'files/usr/bin/own'), step.output('minke')));
  const build = providerBuild(path.join(folder, cache), { extra: { 'debian/fetch': debs.fetch, 'engine/compile': { version: 1, run: engine } } as Partial<Executors> });
  const tasks: AnyTask[] = [
    debs.task,
    { id: 'engine', kind: 'engine/compile', title: 'engine', args: { arch: 'amd64' }, inputs: {}, result: 'files' },
    { id: 'files', kind: 'debian/unpack', title: 'files', args: { packages: debs.packages, exclude: [] }, inputs: { debs: { from: 'task-files', task: 'debs' } }, result: 'files' },
    {
      id: 'root',
      kind: 'debian/finish',
      title: 'root',
      args: { mode, machine: 'm', os: { name: 'An OS', id: 'an-os', version: '1.2' }, recipes: [{ name: 'r', ...recipe }] },
      inputs: {
        files: { from: 'task', task: 'files', output: 'files.tar' },
        'files-digests': { from: 'task', task: 'files', output: 'files.tar.digests' },
        control: { from: 'task', task: 'files', output: 'control.json' },
        'packages:root': { from: 'task', task: 'files', output: 'packages.json' },
        'recipe:r': { from: 'sources', root: source, files: await scanSources(source) },
        engine: { from: 'task', task: 'engine', output: 'minke' },
      },
      result: 'files',
    },
  ];
  const made = await build.run(tasks, ['root']);
  const file = made.get('root/rootfs.tar') ?? '';
  const tree: RootTree = new Map();
  addTar(tree, file);
  const json = <T>(output: string): T => JSON.parse(readFileSync(made.get(`root/${output}`) ?? '', 'utf8')) as T;
  return { tree, tar: readFileSync(file), manifest: json<PackageManifest>('manifest.json'), digests: json<Record<string, string>>('digests.json'), events: build.events };
}

describe('the finish step', () => {
  test('edits replace text of packaged files and leave mode and owner alone', async () => {
    const { tree } = await finish({
      edits: [
        { path: '/usr/lib/systemd/system/x.service', find: 'multi-user', replace: 'network', reason: 'tested here' },
        { path: '/bin/helper', find: 'help', replace: '$&-$1-help', reason: 'tested here' },
      ],
      statoverrides: { '/usr/bin/helper': { mode: '4754' } },
    });
    expect(readText(tree, 'usr/lib/systemd/system/x.service')).toBe('[Install]\nWantedBy=network.target\n');
    expect(readText(tree, 'usr/bin/helper')).toBe('$&-$1-helper');
    expect(tree.get('usr/bin/helper')?.entry).toMatchObject({ mode: 0o4754, sizeBytes: 12 });
  });

  test.each([
    ['/usr/lib/none', 'x', 'no such file'],
    ['/usr/lib/systemd/system/x.service', 'graphical', 'stands there nowhere'],
    ['/usr/share/base-passwd/passwd.master', 'root', 'stands there 3 times'],
  ])('an edit of %s of the text %s is an error', async (file, find, words) => {
    await expect(finish({ edits: [{ path: file, find, replace: '', reason: 'tested here' }] })).rejects.toThrow(words);
  });

  test('accounts, files and links of the recipe, modes, units, state, engine, identity', async () => {
    const { tree, manifest } = await finish({
      users: ['u own 500 "Own"'],
      files: { '/var/lib/own/': { mode: '0750', owner: 'own:shadow' }, '/usr/bin/own': { mode: '0700' } },
      statoverrides: { '/usr/bin/helper': { mode: '4754', owner: 'root:daemonx' } },
      links: { '/usr/bin/docker': 'minke' },
      units: { enable: ['x.service'], mask: ['y.service'] },
      state: ['/etc/own', { path: '/var/lib/own', on: 'data' }],
      engine: true,
      finish: [{ package: 'strange', reason: 'tested here' }],
    });
    const entry = (place: string): unknown => tree.get(place)?.entry;
    expect(readText(tree, 'etc/replaced')).toBe('by recipe');
    expect(readText(tree, 'etc/mode')).toBe('production');
    expect(entry('etc/link')).toMatchObject({ type: 'link', target: '/run/x' });
    expect(entry('usr/bin/own')).toMatchObject({ mode: 0o700 });
    expect(entry('usr/bin/minke')).toMatchObject({ mode: 0o755 });
    expect(entry('usr/bin/helper')).toMatchObject({ mode: 0o4754, uid: 0, gid: 412 });
    expect(entry('var/lib/own')).toMatchObject({ type: 'folder', mode: 0o750, uid: 500, gid: 42 });
    expect(readText(tree, 'usr/lib/minke/state.list')).toBe('/etc/own 0755 0:0 state\n/var/lib/own 0750 500:42 data\n');
    expect(entry('etc/systemd/system/multi-user.target.wants/x.service')).toMatchObject({ target: '/usr/lib/systemd/system/x.service' });
    expect(entry('etc/systemd/system/y.service')).toMatchObject({ target: '/dev/null' });
    expect(entry('usr/bin/awk')).toMatchObject({ target: '/etc/alternatives/awk' });
    expect(entry('etc/shadow')).toMatchObject({ mode: 0o640, gid: 42 });
    expect(readText(tree, 'etc/passwd')).toContain('daemonx:x:412:412:X:/var/lib/x:/usr/sbin/nologin\n');
    expect(readText(tree, 'etc/os-release')).toContain('PRETTY_NAME="An OS 1.2"\n');
    expect(readText(tree, 'etc/machine-id')).toBe('');
    expect(JSON.parse(readText(tree, 'usr/share/minke/packages.json') ?? '')).toEqual(manifest);
    expect(manifest.packages.map(({ name }) => name)).toEqual(['base-files', 'strange']);
  });

  test('digests are those of files that no recipe replaced, wherever else the file came from', async () => {
    const { tree, digests } = await finish({});
    const own = ['etc/replaced', 'etc/mode', 'usr/bin/own', 'etc/passwd'];
    expect(Object.keys(digests)).toEqual(expect.arrayContaining(['usr/bin/helper', 'usr/bin/mawk', 'usr/bin/strange']));
    for (const place of own) expect(digests).not.toHaveProperty([place]);
    for (const [place, sha256] of Object.entries(digests)) expect(createHash('sha256').update(readText(tree, place) ?? '').digest('hex'), place).toBe(sha256);
  });

  test('files of the other mode stay out, and the same input gives the same bytes in another cache', async () => {
    const { tree, tar } = await finish({}, 'development');
    expect(readText(tree, 'etc/mode')).toBe('development');
    expect(readText(tree, 'etc/os-release')).toContain('VARIANT_ID=development\n');
    expect((await finish({}, 'development', 'other')).tar.equals(tar)).toBe(true);
  });

  test('a maintainer script that nobody stands in for is told', async () => {
    const { events } = await finish({});
    expect(events.find((event) => event.type === 'notice')).toMatchObject({ code: 'OSB_SCRIPT_UNCOVERED', message: expect.stringContaining('strange (postinst: make-something /etc/strange)') });
    expect((await finish({ finish: [{ package: 'strange', reason: 'tested here' }] })).events.filter((event) => event.type === 'notice')).toEqual([]);
  });

  test('faults of a recipe name it', async () => {
    await expect(finish({ statoverrides: { '/usr/bin/nosuch': { mode: '0755' } } })).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('recipe r: /usr/bin/nosuch is not in the image') });
    await expect(finish({ state: [{ path: '/x', owner: 'nosuch' }] })).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('no user nosuch') });
    await expect(finish({ links: { '/usr/bin': 'x' } })).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('is a folder with something in it') });
  });
});
