// Nothing escapes from a Root.
import { text } from 'host:bytes';
import * as fs from 'host:fs';
import { check, equal, fails, ok } from './check.ts';

export async function rootProgram([folder = '/tmp']: string[]): Promise<void> {
  fs.mkdirs(`${folder}/top/inner/etc`);
  fs.writeFile(`${folder}/secret`, 'outside');
  fs.writeFile(`${folder}/top/inner/etc/passwd`, 'inside');
  fs.mkdir(`${folder}/top/etc`);
  fs.writeFile(`${folder}/top/etc/passwd`, 'top');
  const root = fs.openRoot(`${folder}/top`);
  const read = (path: string): string => text(root.readFile(path));

  await check('plain paths, with and without a slash in front', () => {
    equal(read('inner/etc/passwd'), 'inside');
    equal(read('/inner//etc/./passwd'), 'inside');
    equal(read('/etc/passwd'), 'top');
    equal(root.stat('/').type, 'directory');
    equal(root.stat('').type, 'directory');
  });
  await check('dot dot stops at the root', () => {
    equal(read('../../../../etc/passwd'), 'top');
    equal(read('inner/../../../etc/passwd'), 'top');
    fails('ENOENT', () => root.open('../secret'));
    equal(root.resolve('/..'), '/');
    equal(root.lstat('inner/..').inode, root.lstat('/').inode);
  });
  await check('links are followed as if the root were /', () => {
    root.symlink('/etc', 'inner/absolute');
    root.symlink('../../../../etc', 'inner/climbing');
    root.symlink('etc/passwd', 'inner/relative');
    equal(read('inner/absolute/passwd'), 'top');
    equal(read('inner/climbing/passwd'), 'top');
    equal(read('inner/relative'), 'inside');
    equal(root.resolve('inner/absolute/passwd'), '/etc/passwd');
    equal(fs.readlink(`${folder}/top/inner/absolute`), '/etc');
    root.symlink(`${folder}/secret`, 'evil');
    fails('ENOENT', () => root.open('evil'));
    fails('ELOOP', () => (root.symlink('b', 'a'), root.symlink('a', 'b'), root.open('a/x')));
  });
  await check('making things through a link stays inside', () => {
    root.mkdir('inner/absolute/made');
    ok(fs.exists(`${folder}/top/etc/made`), 'in the root');
    fs.close(root.open('inner/climbing/file', fs.O_WRONLY | fs.O_CREAT, 0o644));
    ok(fs.exists(`${folder}/top/etc/file`), 'in the root');
    root.symlink(`${folder}`, 'up');
    fails('ENOENT', () => root.open('up/planted', fs.O_WRONLY | fs.O_CREAT));
    fails('ENOENT', () => root.mkdir('up/planted'));
    ok(!fs.exists(`${folder}/planted`), 'not outside');
  });
  await check('the last component is not followed', () => {
    root.symlink('/etc/passwd', 'last');
    equal(root.lstat('last').type, 'symlink');
    equal(root.stat('last').type, 'file');
    equal(root.readlink('last'), '/etc/passwd');
    fails('ELOOP', () => root.open('last', fs.O_RDONLY | fs.O_NOFOLLOW));
    fails('EEXIST', () => root.open('last', fs.O_WRONLY | fs.O_CREAT | fs.O_EXCL));
    root.lchown('last', -1, -1);
    root.utimes('last', 77);
    equal(root.lstat('last').mtimeSeconds, 77);
    ok(root.stat('last').mtimeSeconds !== 77, 'the target keeps its time');
    root.unlink('last');
    equal(read('etc/passwd'), 'top');
  });
  await check('chmod follows, within the root', () => {
    root.symlink('/etc/passwd', 'tochmod');
    root.chmod('tochmod', 0o640);
    equal(root.stat('etc/passwd').mode & 0o777, 0o640);
  });
  await check('renaming, linking, nodes, attributes', () => {
    root.link('etc/passwd', 'inner/hard');
    equal(read('inner/hard'), 'top');
    root.rename('inner/hard', 'inner/absolute/moved');
    ok(fs.exists(`${folder}/top/etc/moved`), 'moved through the link');
    root.mknod('inner/fifo', fs.S_IFIFO | 0o600);
    equal(root.lstat('inner/fifo').type, 'fifo');
    equal(root.stat('inner/fifo').type, 'fifo', 'without opening it');
    equal(root.getXattr('etc/passwd', 'user.none'), null);
    equal(root.listXattr('etc/passwd').filter((name) => name.startsWith('user.')), []);
  });
  await check('a parent that is replaced by a link is noticed', () => {
    root.mkdirs('swap/real');
    fs.close(root.open('swap/real/one', fs.O_WRONLY | fs.O_CREAT)); // the parent is remembered now
    root.mkdir('swap/real/sub');
    root.rename('swap/real', 'swap/old');
    root.symlink('/etc', 'swap/real');
    root.mkdir('swap/real/two');
    ok(fs.exists(`${folder}/top/etc/two`) && !fs.exists(`${folder}/top/swap/old/two`), 'the link counts');
  });
  await check('mkdirs', () => {
    equal(root.mkdirs('deep/er/and/deeper'), true);
    equal(root.mkdirs('deep/er/and/deeper'), false);
    equal(root.mkdirs('inner/absolute/x/y'), true);
    ok(fs.exists(`${folder}/top/etc/x/y`), 'through the link');
    fails('ENOTDIR', () => root.mkdirs('etc/passwd/z'));
    root.symlink('/not/there', 'broken');
    fails('EEXIST', () => root.mkdirs('broken'));
  });
  await check('readdir and removeTree', async () => {
    equal(root.readdir('inner/absolute').some((entry) => entry.name === 'passwd'), true);
    ok((await root.removeTree('inner')) > 3, 'entries');
    ok(!fs.exists(`${folder}/top/inner`) && fs.exists(`${folder}/top/etc/passwd`), 'links were not followed');
    equal(await root.removeTree('inner'), 0);
    equal(await root.removeTree('no/such/parent'), 0);
  });
  await check('after close everything is refused', () => {
    root.close();
    root.close();
    equal(root.fd, -1);
    fails('ECANCELED', () => root.open('etc/passwd'));
    fails('ECANCELED', () => root.mkdir('x'));
    fails('ENOTDIR', () => fs.openRoot(`${folder}/secret`));
  });
}
