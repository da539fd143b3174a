import { concat, text } from 'host:bytes';
import * as fs from 'host:fs';
import { connect, listen, pipe } from 'host:net';
import * as process from 'host:process';
import { check, equal, fails, ok, sleep } from './check.ts';

async function readAll(stream: { read(): Promise<Uint8Array | null> } | null): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let chunk; (chunk = (await stream?.read()) ?? null) !== null; ) parts.push(chunk);
  return concat(parts);
}

async function output(options: Omit<process.SpawnOptions, 'stdio'>): Promise<string> {
  const child = process.spawn({ ...options, stdio: ['null', 'pipe-out', 'inherit'] });
  const [out] = await Promise.all([readAll(child.stdout), child.wait()]);
  return text(out);
}

const sh = (script: string): string[] => ['sh', '-c', script];

export async function processProgram([folder = '/tmp']: string[]): Promise<void> {
  await check('exit codes and signals', async () => {
    equal(await process.spawn({ argv: sh('exit 0') }).wait(), { code: 0, signal: null });
    equal(await process.spawn({ argv: sh('exit 77') }).wait(), { code: 77, signal: null });
    equal(await process.spawn({ argv: sh('kill -9 $$') }).wait(), { code: null, signal: 'KILL' });
    const child = process.spawn({ argv: ['sleep', '100'] });
    equal(child.kill('SIGTERM'), true);
    equal(await child.wait(), { code: null, signal: 'TERM' });
    equal(await child.wait(), { code: null, signal: 'TERM' }, 'asked again');
    equal(child.kill('TERM'), false, 'reaped');
  });
  await check('an end nobody waited for is known later', async () => {
    const child = process.spawn({ argv: sh('exit 5') });
    await sleep(100);
    equal(await child.wait(), { code: 5, signal: null });
  });
  await check('what cannot be started', () => {
    equal(fails('ENOENT', () => process.spawn({ argv: ['no-such-program'] })).path, 'no-such-program');
    fails('ENOENT', () => process.spawn({ argv: ['/no/such/program'] }));
    fs.writeFile(`${folder}/not-executable`, 'x', { mode: 0o644 });
    equal(fails('EACCES', () => process.spawn({ argv: [`${folder}/not-executable`] })).syscall, 'execve');
    equal(fails('ENOENT', () => process.spawn({ argv: sh('exit'), cwd: '/no/such/dir' })).syscall, 'chdir');
    fails('ENOENT', () => process.spawn({ argv: ['sh'], env: { PATH: '/nowhere' } }));
    fails('EBADF', () => process.spawn({ argv: ['sh'], stdio: [999] }));
    fs.writeFile(`${folder}/no-format`, 'x', { mode: 0o755 });
    fails('ENOEXEC', () => process.spawn({ argv: [`${folder}/no-format`] }));
  });
  await check('environment, directory, argv[0], umask', async () => {
    equal(await output({ argv: sh('echo "$A-$B-$HOME"'), env: { A: '1', B: 'ü', PATH: '/usr/bin:/bin' } }), '1-ü-\n');
    equal(await output({ argv: ['pwd'], cwd: '/usr' }), '/usr\n');
    equal(await output({ argv: ['renamed', '-c', 'echo $0'], file: 'sh' }), 'renamed\n');
    equal(await output({ argv: sh('umask'), umask: 0o027 }), '0027\n');
    equal(await output({ argv: sh('echo $X'), env: { ...process.environment(), X: 'inherited and more' } }), 'inherited and more\n');
  });
  await check('a large pipe each way, with back pressure', async () => {
    const child = process.spawn({ argv: ['cat'], stdio: ['pipe-in', 'pipe-out', 'inherit'] });
    const block = new Uint8Array(1_000_000).fill(65);
    let received = 0;
    let sent = 0;
    const reading = (async () => {
      for (let chunk; (chunk = (await child.stdout?.read()) ?? null) !== null; ) received += chunk.length;
    })();
    for (let i = 0; i < 20; i++) {
      await child.stdin?.write(block);
      sent += block.length;
    }
    await child.stdin?.shutdown();
    await reading;
    equal(received, sent);
    equal((await child.wait()).code, 0);
  });
  await check('a child that does not read stops the writer', async () => {
    const child = process.spawn({ argv: ['sleep', '100'], stdio: ['pipe-in', 'null', 'null'] });
    let written = false;
    const writing = child.stdin?.write(new Uint8Array(10_000_000)).then(
      () => (written = true),
      (error: { code: string }) => error.code,
    );
    await sleep(100);
    equal(written, false);
    child.kill('KILL');
    equal(await writing, 'EPIPE');
    await child.wait();
  });
  await check('more descriptors than three', async () => {
    const child = process.spawn({ argv: sh('read x <&3; echo "got $x" >&4; echo five >&5'), stdio: ['null', 'null', 'inherit', 'pipe-in', 'pipe-out', 'pipe-out'] });
    const [to, from, also] = [child.streams[3], child.streams[4], child.streams[5]];
    await to?.write('hello\n');
    equal(text(await readAll(from ?? null)), 'got hello\n');
    equal(text(await readAll(also ?? null)), 'five\n');
    equal((await child.wait()).code, 0);
  });
  await check('descriptors trade places without treading on each other', async () => {
    const [a, b] = [pipe(), pipe()];
    fs.write(a.writeFd, 'from a\n');
    fs.write(b.writeFd, 'from b\n');
    for (const fd of [a.writeFd, b.writeFd]) fs.close(fd);
    // child's 3 is our b, child's 4 is our a, whatever their numbers are
    const child = process.spawn({ argv: sh('cat <&3; cat <&4'), stdio: ['null', 'pipe-out', 'inherit', b.readFd, a.readFd] });
    equal(text(await readAll(child.stdout)), 'from b\nfrom a\n');
    await child.wait();
    for (const fd of [a.readFd, b.readFd]) fs.close(fd);
  });
  await check('nothing else is inherited', async () => {
    const { readFd, writeFd } = pipe();
    const listing = await output({ argv: ['sh', '-c', 'ls /proc/self/fd'] });
    equal(listing.trim().split('\n').length, 4, `0, 1, 2 and that of ls: ${listing}`);
    fs.close(readFd);
    fs.close(writeFd);
  });
  await check('sessions, groups, signal masks', async () => {
    const [sid = '', pid = ''] = (await output({ argv: sh('cut -d" " -f6 /proc/$$/stat; echo $$'), newSession: true })).trim().split('\n');
    equal(sid, pid);
    equal(await output({ argv: sh('grep -c "SigIgn:[[:space:]]*0000000000000000" /proc/self/status; grep -c "SigBlk:[[:space:]]*0000000000000000" /proc/self/status') }), '1\n1\n');
  });
  if (process.ids().uid === 0) {
    await check('other users', async () => {
      equal(await output({ argv: sh('id -u; id -g; id -G'), uid: 1234, gid: 1235 }), '1234\n1235\n1235\n');
      equal(await output({ argv: sh('id -G'), uid: 1234, gid: 1235, groups: [7, 8] }), '1235 7 8\n');
    });
    await check('namespaces', async () => {
      const sleeper = process.spawn({ argv: ['unshare', '--net', 'sleep', '100'] });
      const path = `/proc/${sleeper.pid}/ns/net`;
      while (fs.readlink(path) === fs.readlink('/proc/self/ns/net')) await sleep(5);
      equal((await output({ argv: ['readlink', '/proc/self/ns/net'], namespaces: [path] })).trim(), fs.readlink(path));
      sleeper.kill('KILL');
      await sleeper.wait();
      equal(fails('ENOENT', () => process.spawn({ argv: ['true'], namespaces: ['/proc/1/ns/none'] })).syscall, 'setns');
    });
  }
  await check('cgroup that is not there', () => {
    equal(fails('ENOENT', () => process.spawn({ argv: ['true'], cgroups: [`${folder}/no-cgroup`] })).syscall, 'cgroup');
  });
  await check('three hundred children at once', async () => {
    const children = Array.from({ length: 300 }, (_, i) => process.spawn({ argv: sh(`exit ${i % 200}`) }));
    const ends = await Promise.all(children.map((child) => child.wait()));
    ends.forEach((end, i) => equal(end.code, i % 200));
  });
  await check('orphans come to the subreaper', async () => {
    const seen = new Map<number, process.ExitStatus>();
    process.becomeSubreaper((pid, status) => void seen.set(pid, status));
    const orphan = Number((await output({ argv: sh('(sleep 0.2; exit 9) >/dev/null 2>&1 & echo $!') })).trim());
    while (!seen.has(orphan)) await sleep(10);
    equal(seen.get(orphan), { code: 9, signal: null });
  });
  await check('watching a process that is not our child', async () => {
    const watchable = Number((await output({ argv: sh('sleep 600 >/dev/null 2>&1 & echo $!') })).trim());
    let ended = false;
    const watch = process.watchPid(watchable);
    const done = watch.ended.then(() => (ended = true));
    await sleep(20);
    equal(ended, false);
    process.kill(watchable, 'KILL');
    await done;
    equal(ended, true);
    watch.close();
    await process.watchPid(4_000_000).ended;
    const forever = process.watchPid(process.pid);
    forever.close();
    await forever.ended;
  });
  await check('signals', async () => {
    const got: string[] = [];
    process.onSignal('SIGUSR1', (name) => got.push(name));
    process.onSignal('HUP', (name) => got.push(name));
    process.kill(process.pid, 'USR1');
    process.kill(process.pid, 'HUP');
    while (got.length < 2) await sleep(5);
    equal(got.toSorted(), ['HUP', 'USR1']);
    process.onSignal('HUP', null);
    process.onSignal('USR1', null);
    fails('EINVAL', () => process.onSignal('CHLD', () => undefined));
    fails('EINVAL', () => process.signalNumber('X') ?? process.kill(process.pid, 'NOSUCH'));
    equal(process.signalNumber('SIGKILL'), 9);
    equal(process.signalName(15), 'TERM');
    equal(process.signalName(1000), undefined);
    fails('ESRCH', () => process.kill(4_000_000, 0));
    fails('EINVAL', () => process.kill(0, 'TERM'));
    process.kill(process.pid, 0);
  });
  await check('ourselves', () => {
    equal(process.argv[1], 'process');
    ok(process.pid > 1, 'pid');
    equal(process.getEnv('NO_SUCH_VARIABLE'), undefined);
    ok((process.getEnv('PATH') ?? '') !== '', 'PATH');
    ok(process.executablePath().startsWith('/'), process.executablePath());
    equal(process.uname().sysname, 'Linux');
    const system = process.sysconf();
    ok(system.processors >= 1 && system.pageSizeBytes >= 4096 && system.totalMemoryBytes > 1e8, JSON.stringify(system));
    const limit = process.getResourceLimit('nofile');
    process.setResourceLimit('nofile', { soft: 100, hard: limit.hard });
    equal(process.getResourceLimit('nofile').soft, 100);
    process.setResourceLimit('nofile', limit);
    process.setResourceLimit('core', { soft: 0, hard: process.getResourceLimit('core').hard });
    process.chdir(folder);
    equal(process.cwd(), fs.realpath(folder));
    const before = process.umask(0o077);
    equal(process.umask(before), 0o077);
  });
  await check('running out of descriptors neither crashes nor spins', async () => {
    const path = `${folder}/crowded.sock`;
    const listener = listen({ unix: path });
    const limit = process.getResourceLimit('nofile');
    process.setResourceLimit('nofile', { soft: 60, hard: limit.hard });
    const clients = [];
    const opened: number[] = [];
    try {
      for (;;) opened.push(fs.open('/dev/null'));
    } catch (error) {
      equal((error as { code: string }).code, 'EMFILE');
    }
    for (let i = 0; i < 2; i++) fs.close(opened.pop() ?? -1);
    clients.push(await connect({ unix: path }), await connect({ unix: path }));
    fails('EMFILE', () => process.spawn({ argv: ['true'] }));
    const accepted = listener.accept();
    await sleep(150);
    for (const fd of opened) fs.close(fd);
    (await accepted).close();
    (await listener.accept()).close();
    for (const client of clients) client.close();
    listener.close();
    process.setResourceLimit('nofile', limit);
  });
}
