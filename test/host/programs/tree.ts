import * as fs from 'host:fs';
import { ids, log, spawn } from 'host:process';
import { monotonicMs } from 'host:timers';
import { check, equal, fails, ok, rejects } from './check.ts';

async function run(...argv: string[]): Promise<string> {
  const child = spawn({ argv, stdio: ['null', 'pipe-out', 'inherit'] });
  let output = '';
  for (let chunk; (chunk = (await child.stdout?.read()) ?? null) !== null; ) output += String.fromCharCode(...chunk);
  const { code } = await child.wait();
  if (code !== 0) throw new Error(`${argv.join(' ')} gave ${code}`);
  return output;
}

export async function treeProgram([folder = '/tmp', countText = '100000']: string[]): Promise<void> {
  const at = (name: string): string => `${folder}/${name}`;

  await check('removeTree of nothing, a file, a link', async () => {
    equal(await fs.removeTree(at('nothing')), 0);
    fs.writeFile(at('file'), '');
    equal(await fs.removeTree(at('file')), 1);
    fs.mkdir(at('kept'));
    fs.writeFile(at('kept/x'), '');
    fs.symlink('kept', at('link'));
    equal(await fs.removeTree(at('link')), 1);
    ok(fs.exists(at('kept/x')), 'the target stays');
  });
  await check('links in it are not followed', async () => {
    fs.mkdirs(at('tree/a/b'));
    fs.symlink(at('kept'), at('tree/a/absolute'));
    fs.symlink('../../kept', at('tree/a/relative'));
    fs.symlink('..', at('tree/a/b/up'));
    fs.mknod(at('tree/a/fifo'), fs.S_IFIFO | 0o600);
    equal(await fs.removeTree(at('tree/')), 7);
    ok(fs.exists(at('kept/x')), 'what they point to stays');
  });
  await check('very deep trees', async () => {
    const path = at('deep');
    for (let i = 0; i < 2000; i++) {
      // from the inside out: the whole path is too long for a system call
      fs.mkdir(at('wrap'));
      if (fs.exists(path)) fs.rename(path, at('wrap/d'));
      fs.rename(at('wrap'), path);
    }
    equal((await fs.diskUsage(path)).entries, 2000);
    equal(await fs.removeTree(path), 2000);
  });
  await check('removing a hundred thousand files does not hold up the loop', async () => {
    const count = Number(countText);
    const dirs = 50;
    for (let d = 0; d < dirs; d++) {
      fs.mkdirs(at(`many/${d}`));
      for (let i = 0; i < count / dirs; i++) fs.close(fs.open(at(`many/${d}/file-${i}`), fs.O_WRONLY | fs.O_CREAT));
    }
    equal((await fs.diskUsage(at('many'))).entries, count + dirs + 1);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const start = monotonicMs();
    equal(await fs.removeTree(at('many')), count + dirs + 1);
    log(`removed ${count} files in ${Math.round(monotonicMs() - start)} ms, ${ticks} ticks meanwhile`);
    clearInterval(timer);
    if (count >= 10_000) ok(ticks > 5, `${ticks} ticks`);
  });
  await check('diskUsage counts hard links once', async () => {
    fs.mkdir(at('usage'));
    fs.writeFile(at('usage/one'), new Uint8Array(10_000));
    fs.link(at('usage/one'), at('usage/two'));
    const usage = await fs.diskUsage(at('usage'));
    const own = fs.stat(at('usage')).sizeBytes;
    equal(usage.sizeBytes - own, 10_000);
    equal(usage.entries, 2);
    equal((await fs.diskUsage(at('usage/one'))).sizeBytes, 10_000);
    await rejects('ENOENT', fs.diskUsage(at('usage/three')));
  });
  await check('copyTree copies all that is in a tree', async () => {
    fs.mkdirs(at('from/sub/empty'));
    fs.writeFile(at('from/sub/text'), 'content');
    fs.chmod(at('from/sub/text'), 0o4750);
    fs.link(at('from/sub/text'), at('from/again'));
    fs.symlink('sub/text', at('from/soft'));
    fs.mknod(at('from/fifo'), fs.S_IFIFO | 0o640);
    fs.utimes(at('from/sub/text'), 1_000_000_000, 5);
    fs.chmod(at('from/sub'), 0o711);
    fs.utimes(at('from/sub'), 900_000_000, 6);
    fs.mkdir(at('to'));
    equal(await fs.copyTree(at('from'), at('to')), 6);
    equal(fs.readText(at('to/soft')), 'content');
    equal(fs.stat(at('to/again')).inode === fs.stat(at('to/sub/text')).inode, true);
    const st = fs.stat(at('to/sub/text'));
    equal([st.mode & 0o7777, st.mtimeSeconds, st.mtimeNanoseconds, st.linkCount], [0o4750, 1_000_000_000, 5, 2]);
    const dir = fs.stat(at('to/sub'));
    equal([dir.mode & 0o7777, dir.mtimeSeconds, dir.mtimeNanoseconds], [0o711, 900_000_000, 6]);
    equal(fs.lstat(at('to/fifo')).type, 'fifo');
    equal((await rejects('EEXIST', fs.copyTree(at('from'), at('to')))).syscall, 'copyTree');
  });
  if (ids().effectiveUid === 0) {
    await check('mounts are not crossed, bind mounts neither', async () => {
      fs.mkdirs(at('outer/mnt'));
      fs.mkdirs(at('outer/bind'));
      fs.mkdir(at('volume'));
      fs.writeFile(at('volume/precious'), 'data');
      fs.writeFile(at('outer/plain'), '');
      fs.mount({ source: 'tmpfs', target: at('outer/mnt'), type: 'tmpfs', data: 'size=1m' });
      fs.mount({ source: at('volume'), target: at('outer/bind'), flags: fs.MS_BIND });
      try {
        fs.writeFile(at('outer/mnt/inside'), 'x');
        equal((await fs.diskUsage(at('outer'))).entries, 2, 'only what is on this mount');
        const error = await rejects('EBUSY', fs.removeTree(at('outer')));
        ok(/outer\/(mnt|bind)/.test(error.path ?? ''), error.message);
        ok(fs.exists(at('volume/precious')) && fs.exists(at('outer/mnt/inside')), 'the data stays');
        ok(!fs.exists(at('outer/plain')), 'the rest is gone');
      } finally {
        fs.umount(at('outer/mnt'));
        fs.umount(at('outer/bind'), fs.MNT_DETACH);
      }
      equal(await fs.removeTree(at('outer')), 3);
      equal(fs.readText(at('volume/precious')), 'data');
    });
    await check('trees on another mount than the root', async () => {
      fs.mkdir(at('disk'));
      fs.mount({ source: 'tmpfs', target: at('disk'), type: 'tmpfs', data: 'size=1m' });
      try {
        fs.symlink(at('disk'), at('by-link'));
        for (const way of [at('disk/tree'), at('by-link/tree')]) {
          fs.mkdirs(at('disk/tree/sub'));
          fs.writeFile(at('disk/tree/sub/file'), 'x');
          equal((await fs.diskUsage(way)).entries, 3);
          fs.mkdir(at('disk/copy'));
          equal(await fs.copyTree(way, at('disk/copy')), 2);
          equal(await fs.removeTree(at('disk/copy')), 3);
          equal(await fs.removeTree(way), 3);
        }
        equal(await fs.removeTree(at('no/such/parent')), 0);
        equal((await rejects('EBUSY', fs.removeTree(at('disk')))).path, at('disk'));
        for (const wrong of ['/', '.', `${folder}/..`]) await rejects('EINVAL', fs.removeTree(wrong));
      } finally {
        fs.umount(at('disk'));
      }
    });
    await check('mounting with relative paths, and errors of mount', async () => {
      const low = Array.from({ length: 60 }, (_, i) => `layer-with-a-long-name-${'x'.repeat(30)}-${i}`);
      for (const name of [...low, 'up', 'work', 'merged']) fs.mkdirs(at(`ovl/${name}`));
      fs.writeFile(at(`ovl/${low[59]}/deep`), 'lowest');
      const lowerdir = low.join(':');
      const before = await run('pwd');
      fs.mount({ source: 'overlay', target: at('ovl/merged'), type: 'overlay', data: `lowerdir=${lowerdir},upperdir=up,workdir=work`, from: at('ovl') });
      equal(fs.readText(at('ovl/merged/deep')), 'lowest');
      equal(await run('pwd'), before, 'our own directory is where it was');
      fs.umount(at('ovl/merged'));
      fails('ENOENT', () => fs.mount({ source: 'x', target: at('none'), type: 'tmpfs' }));
      fails('E2BIG', () => fs.mount({ target: at('ovl/merged'), type: 'overlay', data: 'x'.repeat(5000) }));
    });
  }
}
