import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { chooseBuilder, projectTree } from '../../src/cli/build/remote.ts';
import { loadProject } from '../../src/config/index.ts';

const me = userInfo().username;
const standard = ['/home/me/.ssh/id_ed25519', '/home/me/.ssh/id_ecdsa', '/home/me/.ssh/id_rsa'];

describe('where to build', () => {
  const build = { remoteBuilders: { big: { host: 'build.example', port: 2222, user: 'builder', identity: '~/.ssh/id_build', cache: '/srv/osbuild' }, small: { host: '10.0.0.7' } } };
  const choose = (word: string) => chooseBuilder(word, { build }, '/home/me');

  test('a builder of the project', () => {
    expect(choose('big')).toEqual({ address: { host: 'build.example', port: 2222, user: 'builder' }, identities: ['/home/me/.ssh/id_build'], cache: '/srv/osbuild' });
    expect(choose('small')).toEqual({ address: { host: '10.0.0.7', port: 22, user: me }, identities: standard, cache: null });
  });

  test.each([
    ['host', 'host', 22, me],
    ['user@host', 'host', 22, 'user'],
    ['user@host.example:2200', 'host.example', 2200, 'user'],
    ['user@[fe80::1]:22', 'fe80::1', 22, 'user'],
    ['[::1]', '::1', 22, me],
  ])('%s', (word, host, port, user) => {
    expect(choose(word)).toEqual({ address: { host, port, user }, identities: standard, cache: null });
  });

  test.each(['', 'a@b@c', 'host:0', 'host:70000', 'host:x', '-oProxyCommand=x', 'user@-host', 'ho st', 'fe80::1', 'constructor@'])('"%s" is refused', (word) => {
    expect(() => choose(word)).toThrow(expect.objectContaining({ code: 'OSB_USAGE', hint: expect.stringContaining('big, small') }));
  });
});

describe('what is sent of a project', () => {
  let top: string;
  const home = join(import.meta.dirname, '../..');
  const put = async (files: Record<string, string>): Promise<void> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(top, path)), { recursive: true });
      await writeFile(join(top, path), text);
    }
  };
  const sent = async (folder: string, provider = 'debian') => {
    const tree = await projectTree(await loadProject(join(top, folder), home), home, provider);
    return { folder: tree?.folder, root: tree?.root, paths: tree?.files.map(({ path }) => path) };
  };
  beforeEach(async () => void (top = await mkdtemp(join(tmpdir(), 'osbuild-sent-'))));
  afterEach(() => rm(top, { recursive: true, force: true }));

  test('what builds read, and nothing else', async () => {
    await put({ 'build.config.yaml': 'base: osbuild\ndebian: { keyring: keys/own.gpg }\n', 'keys/own.gpg': 'k', 'recipes/a/recipe.yaml': 'description: A\n', 'machines/locks/m.lock.json': '{}', 'out/m/image': 'x', '.git/HEAD': 'x', 'notes.txt': 'x' });
    expect(await sent('.')).toEqual({ folder: '.', root: top, paths: ['build.config.yaml', 'keys/own.gpg', 'machines/locks/m.lock.json', 'recipes/a/recipe.yaml'] });
  });

  test.each(['updates: { signWith: [keys/a.pem] }', 'secureBoot: { key: keys/db.pem, certificate: keys/db.crt }'])('nothing where private keys sign: %s', async (line) => {
    await put({ 'build.config.yaml': `base: osbuild\n${line}\n`, 'keys/a.pem': 'secret' });
    await expect(sent('.')).rejects.toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('private keys') as unknown }));
  });

  test('bases and local layers, laid out as they are here', async () => {
    await put({
      'common/build.config.yaml': 'base: osbuild\n',
      'common/recipes/b/recipe.yaml': 'description: B\n',
      'products/one/build.config.yaml': 'base: ../../common\nyocto: { layers: { meta-mine: { path: ../../layers/meta-mine } } }\n',
      'layers/meta-mine/conf/layer.conf': 'x',
      'layers/meta-mine/.git/HEAD': 'x',
      'products/two/build.config.yaml': 'base: osbuild\n',
    });
    expect(await sent('products/one', 'yocto')).toEqual({ folder: 'products/one', root: top, paths: ['common/build.config.yaml', 'common/recipes/b/recipe.yaml', 'layers/meta-mine/conf/layer.conf', 'products/one/build.config.yaml'] });
    expect((await sent('products/one')).paths).not.toContain('layers/meta-mine/conf/layer.conf');
  });

  test('the program’s own project goes with the program', async () => {
    expect(await projectTree(await loadProject(home, home), home, 'debian')).toBeNull();
  });

  test('a folder of this machine alone is refused', async () => {
    await put({ 'build.config.yaml': 'base: osbuild\nyocto: { layers: { meta-mine: { path: /srv/meta-mine } } }\n' });
    await expect(sent('.', 'yocto')).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('/srv/meta-mine') });
    await expect(sent('.')).resolves.toMatchObject({ paths: ['build.config.yaml'] });
  });
});
