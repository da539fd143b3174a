import { encode, equal as sameBytes, text } from 'host:bytes';
import * as fs from 'host:fs';
import { ids } from 'host:process';
import { check, equal, fails, noise, ok, rejects } from './check.ts';

export async function fsProgram([folder = '/tmp']: string[]): Promise<void> {
  const at = (name: string): string => `${folder}/${name}`;

  await check('errors say what, where and why', () => {
    const error = fails('ENOENT', () => fs.open(at('none')));
    equal(error.syscall, 'open');
    equal(error.path, at('none'));
    equal(error.errno, 2);
    ok(error.message.includes(at('none')) && error.message.includes('No such file'), error.message);
    ok((error.stack ?? '').includes('at '), 'a stack');
    const two = fails('ENOENT', () => fs.rename(at('none'), at('other')));
    equal(two.target, at('other'));
    fails('EINVAL', () => fs.open('with\0nul'));
  });
  await check('wrong types are bugs, not failures', () => {
    for (const call of [() => fs.open(7 as unknown as string), () => fs.close('x' as unknown as number), () => fs.read(0, 'x' as unknown as Uint8Array), () => fs.close(1.5)]) {
      let thrown: unknown;
      try {
        call();
      } catch (error) {
        thrown = error;
      }
      ok(thrown instanceof TypeError, String(thrown));
    }
  });
  await check('reading, writing and seeking', () => {
    const fd = fs.open(at('rw'), fs.O_RDWR | fs.O_CREAT | fs.O_EXCL, 0o600);
    fs.write(fd, 'hello ');
    fs.write(fd, encode('world'));
    equal(fs.seek(fd, 0, 'current'), 11);
    const room = new Uint8Array(5);
    equal(fs.read(fd, room, 6), 5);
    equal(text(room), 'world');
    equal(fs.seek(fd, 0, 'current'), 11, 'pread does not move');
    fs.write(fd, 'W', 6);
    equal(fs.seek(fd, -5, 'end'), 6);
    equal(fs.read(fd, room), 5);
    equal(text(room), 'World');
    equal(fs.read(fd, room), 0, 'the end');
    const st = fs.fstat(fd);
    equal(st.sizeBytes, 11);
    equal(st.type, 'file');
    equal(st.mode & 0o7777, 0o600);
    fs.ftruncate(fd, 3);
    fs.close(fd);
    equal(fs.readText(at('rw')), 'hel');
    fails('EBADF', () => fs.close(fd));
    fails('EEXIST', () => fs.open(at('rw'), fs.O_WRONLY | fs.O_CREAT | fs.O_EXCL));
  });
  await check('whole files, also those of /proc', () => {
    fs.writeFile(at('whole'), noise(300_000));
    ok(sameBytes(fs.readFile(at('whole')), noise(300_000)), 'content');
    fails('EFBIG', () => fs.readFile(at('whole'), 299_999));
    ok(fs.readText('/proc/self/status').includes('Name:'), 'no size known beforehand');
    fails('EISDIR', () => fs.readFile(folder));
    fs.writeFile(at('whole'), 'more', { flags: fs.O_WRONLY | fs.O_APPEND });
    equal(fs.stat(at('whole')).sizeBytes, 300_004);
  });
  await check('a full device is an error', () => {
    equal(fails('ENOSPC', () => fs.writeFile('/dev/full', 'x')).path, '/dev/full');
  });
  await check('names of any bytes', () => {
    const name = at('b\udcff\udc80d ünïcode');
    fs.writeFile(name, 'x');
    const found = fs.readdir(folder).map((entry) => entry.name);
    ok(found.includes('b\udcff\udc80d ünïcode'), found.join(' '));
    fs.unlink(name);
    ok(!fs.exists(name), 'gone');
  });
  await check('directories', () => {
    fs.mkdir(at('dir'), 0o750);
    equal(fs.stat(at('dir')).mode & 0o777, 0o750);
    fails('EEXIST', () => fs.mkdir(at('dir')));
    equal(fs.mkdirs(at('dir/a/b/c')), true);
    equal(fs.mkdirs(at('dir/a/b/c/')), false);
    fs.writeFile(at('dir/file'), '');
    fails('ENOTDIR', () => fs.mkdirs(at('dir/file/x')));
    fails('ENOTDIR', () => fs.mkdirs(at('dir/file')));
    fs.symlink('nowhere', at('dir/link'));
    equal(
      fs.readdir(at('dir')).map((entry) => `${entry.name} ${entry.type}`).toSorted(),
      ['a directory', 'file file', 'link symlink'],
    );
    fails('ENOTEMPTY', () => fs.rmdir(at('dir')));
    fs.rmdir(at('dir/a/b/c'));
    const one = fs.makeTempDir(at('tmp-'));
    const two = fs.makeTempDir(at('tmp-'));
    ok(one !== two && one.length === at('tmp-').length + 8, one);
    equal(fs.stat(one).mode & 0o777, 0o700);
  });
  await check('links', () => {
    fs.writeFile(at('target'), 'T');
    fs.symlink('target', at('soft'));
    fs.link(at('target'), at('hard'));
    equal(fs.readlink(at('soft')), 'target');
    equal(fs.lstat(at('soft')).type, 'symlink');
    equal(fs.stat(at('soft')).inode === fs.stat(at('hard')).inode, true);
    equal(fs.stat(at('hard')).linkCount, 2);
    equal(fs.realpath(at('soft')).endsWith('/target'), true);
    fails('EINVAL', () => fs.readlink(at('target')));
    equal(fs.exists(at('none')), false);
    equal(fs.exists(at('target/below')), false);
    fails('ELOOP', () => (fs.symlink('loop', at('loop')), fs.exists(at('loop'))));
  });
  await check('rename replaces, refuses or exchanges', () => {
    fs.writeFile(at('r1'), '1');
    fs.writeFile(at('r2'), '2');
    fails('EEXIST', () => fs.rename(at('r1'), at('r2'), 'noReplace'));
    fs.rename(at('r1'), at('r2'), 'exchange');
    equal(fs.readText(at('r1')) + fs.readText(at('r2')), '21');
    fs.rename(at('r1'), at('r2'));
    equal(fs.readText(at('r2')), '2');
    equal(fs.exists(at('r1')), false);
  });
  await check('modes, owners and times', () => {
    fs.writeFile(at('meta'), '');
    fs.chmod(at('meta'), 0o4711);
    equal(fs.stat(at('meta')).mode & 0o7777, 0o4711);
    fs.utimes(at('meta'), 4_000_000_000, 123_456_789); // after 2038
    const st = fs.stat(at('meta'));
    equal([st.mtimeSeconds, st.mtimeNanoseconds], [4_000_000_000, 123_456_789]);
    fs.symlink('nowhere', at('dangling'));
    fs.utimes(at('dangling'), 1000);
    equal(fs.lstat(at('dangling')).mtimeSeconds, 1000);
    fs.chown(at('meta'), -1, -1);
    fs.lchown(at('dangling'), -1, -1);
  });
  await check('devices, fifos and extended attributes', () => {
    fs.mknod(at('fifo'), fs.S_IFIFO | 0o600);
    equal(fs.lstat(at('fifo')).type, 'fifo');
    fails('ENXIO', () => fs.open(at('fifo'), fs.O_WRONLY | fs.O_NONBLOCK));
    const null_ = fs.stat('/dev/null');
    equal([null_.type, null_.rdevMajor, null_.rdevMinor], ['character', 1, 3]);
    fs.writeFile(at('attr'), '');
    try {
      fs.setXattr(at('attr'), 'user.test', encode('value'));
    } catch {
      return; // not on this file system
    }
    equal(text(fs.getXattr(at('attr'), 'user.test') ?? new Uint8Array()), 'value');
    equal(fs.getXattr(at('attr'), 'user.other'), null);
    ok(fs.listXattr(at('attr')).includes('user.test'), 'listed');
    fs.removeXattr(at('attr'), 'user.test');
    equal(fs.getXattr(at('attr'), 'user.test'), null);
  });
  await check('locks belong to the open file', () => {
    fs.writeFile(at('lock'), '');
    const [one, two] = [fs.open(at('lock')), fs.open(at('lock'))];
    equal(fs.flock(one, 'exclusive'), true);
    equal(fs.flock(two, 'exclusive'), false);
    equal(fs.flock(two, 'shared'), false);
    fs.flock(one, 'unlock');
    equal(fs.flock(two, 'shared'), true);
    equal(fs.flock(one, 'shared'), true);
    fs.close(one);
    fs.close(two);
  });
  await check('space', () => {
    const space = fs.statfs(folder);
    ok(space.totalBytes > space.freeBytes && space.freeBytes >= space.availableBytes && space.blockSizeBytes > 0, JSON.stringify(space));
    const fd = fs.open(at('space'), fs.O_RDWR | fs.O_CREAT);
    fs.fallocate(fd, 0, 1_000_000);
    ok(fs.fstat(fd).allocatedBytes >= 1_000_000, 'reserved');
    fs.fadvise(fd, 'dontneed');
    fs.close(fd);
  });
  if (ids().effectiveUid === 0) {
    await check('a full file system: what fails leaves the old file and no leftovers', async () => {
      fs.mkdir(at('small'));
      fs.mount({ source: 'tmpfs', target: at('small'), type: 'tmpfs', data: 'size=1m' });
      try {
        await fs.replaceFile(at('small/state'), 'old');
        equal((await rejects('ENOSPC', fs.replaceFile(at('small/state'), noise(2_000_000)))).syscall, 'write');
        equal(fs.readText(at('small/state')), 'old');
        const fd = fs.open(at('small/reserve'), fs.O_RDWR | fs.O_CREAT);
        fails('ENOSPC', () => fs.fallocate(fd, 0, 2_000_000, true));
        fs.close(fd);
        fs.unlink(at('small/reserve'));
        fs.writeFile(at('large'), noise(2_000_000));
        await rejects('ENOSPC', fs.copyFile(at('large'), at('small/large')));
        equal(fs.readdir(at('small')).map((entry) => entry.name), ['state']);
      } finally {
        fs.umount(at('small'));
      }
    });
  }
  await check('replaceFile: new content, exact mode, nothing left over', async () => {
    await fs.replaceFile(at('state.json'), '{"a":1}');
    equal(fs.readText(at('state.json')), '{"a":1}');
    await fs.replaceFile(at('state.json'), noise(1_000_000), { mode: 0o600 });
    equal(fs.stat(at('state.json')).sizeBytes, 1_000_000);
    equal(fs.stat(at('state.json')).mode & 0o7777, 0o600);
    equal(fs.readdir(folder).filter((entry) => entry.name.includes('.tmp-')), []);
  });
  await check('replaceFile that fails keeps the old file and cleans up', async () => {
    fs.mkdir(at('is-a-directory'));
    fs.writeFile(at('is-a-directory/x'), '');
    await rejects('EISDIR', fs.replaceFile(at('is-a-directory'), 'x'));
    await rejects('ENOENT', fs.replaceFile(at('no/such/dir'), 'x'));
    equal(fs.readdir(folder).filter((entry) => entry.name.includes('.tmp-')), []);
  });
  await check('replaceFile copies its data first', async () => {
    const data = encode('before');
    const done = fs.replaceFile(at('copied'), data);
    data.fill(0x78);
    await done;
    equal(fs.readText(at('copied')), 'before');
  });
  await check('many at once', async () => {
    await Promise.all(Array.from({ length: 200 }, (_, i) => fs.replaceFile(at(`many-${i}`), String(i))));
    for (let i = 0; i < 200; i++) equal(fs.readText(at(`many-${i}`)), String(i));
  });
  await check('making durable', async () => {
    const fd = fs.open(at('whole'));
    await Promise.all([fs.fsync(fd), fs.fdatasync(fd), fs.fsyncDir(folder), fs.syncfs(folder)]);
    fs.close(fd);
    fails('EBADF', () => fs.fsync(fd));
    await rejects('ENOTDIR', fs.fsyncDir(at('whole')));
  });
  await check('writing out early takes the descriptors', async () => {
    const open = (): number[] => ['out-1', 'out-2', 'out-3'].map((name) => fs.open(at(name), fs.O_RDWR | fs.O_CREAT));
    const fds = open();
    for (const fd of fds) fs.write(fd, noise(300_000));
    await fs.writeOut([...fds.slice(0, 2), fs.dup(fds[2] ?? -1)]);
    for (const fd of fds.slice(0, 2)) fails('EBADF', () => fs.fstat(fd));
    fs.write(fds[2] ?? -1, 'more');
    await fs.writeOut(fds.slice(2));
    equal(fs.readFile(at('out-1')), noise(300_000));
    equal(fs.stat(at('out-3')).sizeBytes, 300_004);
    // None is taken when one is wrong.
    const again = open();
    fails('EBADF', () => fs.writeOut([...again, 999]));
    for (const fd of again) fs.close(fd);
    await fs.writeOut([]);
  });
  await check('copyFile keeps content and holes', async () => {
    const fd = fs.open(at('sparse'), fs.O_RDWR | fs.O_CREAT);
    fs.write(fd, noise(10_000), 0);
    fs.write(fd, noise(10_000, 5), 50_000_000);
    fs.ftruncate(fd, 60_000_000);
    fs.close(fd);
    equal(await fs.copyFile(at('sparse'), at('sparse-copy')), 60_000_000);
    const st = fs.stat(at('sparse-copy'));
    equal(st.sizeBytes, 60_000_000);
    ok(st.allocatedBytes < 1_000_000, `${st.allocatedBytes} bytes on disk`);
    const room = new Uint8Array(10_000);
    const copy = fs.open(at('sparse-copy'));
    fs.read(copy, room, 50_000_000);
    fs.close(copy);
    ok(sameBytes(room, noise(10_000, 5)), 'content');
    await rejects('EEXIST', fs.copyFile(at('sparse'), at('sparse-copy')));
  });
  await check('watching a directory', async () => {
    fs.mkdir(at('watched'));
    const watch = fs.watch(at('watched'));
    const seen: string[] = [];
    const until = async (wanted: string): Promise<void> => {
      while (!seen.includes(wanted)) for (const event of await watch.next()) seen.push(`${event.kind} ${event.name}`);
    };
    fs.writeFile(at('watched/new'), 'x');
    await until('written new');
    ok(seen.includes('created new'), seen.join());
    const pending = until('movedTo exit');
    fs.rename(at('watched/new'), at('watched/exit'));
    await pending;
    fs.unlink(at('watched/exit'));
    await until('deleted exit');
    fs.rmdir(at('watched'));
    await until('gone ');
    const last = watch.next();
    watch.close();
    watch.close();
    await rejects('ECANCELED', last);
    fails('ENOENT', () => fs.watch(at('not-there')));
  });
}
