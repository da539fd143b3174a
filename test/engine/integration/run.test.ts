import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, labFile, leftovers, waitFor } from '../support/lab.ts';

describeLab('docker run against the daemon', (lab) => {
  const sh = (script: string, ...options: string[]): string => lab.ok('run', '--rm', ...options, IMAGE, 'sh', '-c', script);

  it('answers version and info', () => {
    expect(lab.ok('version', '--format', '{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Os}}')).toBe('1.47 1.24 linux');
    expect(lab.ok('info', '--format', '{{.Driver}} {{.DefaultRuntime}} {{.Images}}')).toBe('overlay2 crun 1');
  });

  it('carries output and exit code', () => {
    const result = lab.docker('run', '--rm', IMAGE, 'sh', '-c', 'echo out; echo err >&2; exit 7');
    expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  it('carries standard input to its end', () => {
    const input = 'x'.repeat(300_000);
    const result = lab.run(['docker', 'run', '--rm', '-i', IMAGE, 'wc', '-c'], input);
    expect(result.stdout.trim()).toBe('300000');
  });

  it('says 127 for a program that is not there and 126 for one that cannot run', () => {
    expect(lab.docker('run', '--rm', IMAGE, 'nonsense').code).toBe(127);
    expect(lab.docker('run', '--rm', IMAGE, '/etc/passwd').code).toBe(126);
  });

  it('gives a terminal of the asked size', () => {
    const result = lab.run(['script', '-qec', `stty rows 33 cols 101; docker run --rm -it ${IMAGE} sh -c 'sleep 0.3; stty size; tty; echo $TERM'`, '/dev/null']);
    expect(result.stdout).toContain('33 101');
    expect(result.stdout).toContain('/dev/pts/0');
    expect(result.stdout).toContain('xterm');
  });

  it('sets environment, user, directory, hostname, entrypoint and labels', () => {
    expect(sh('echo $A:$HOME:$(hostname)', '-e', 'A=b', '--hostname', 'box')).toBe('b:/root:box');
    expect(sh('id -u; id -g; id -G; pwd', '-u', 'app', '-w', '/new/place')).toBe('1000\n1000\n1000 2000\n/new/place');
    expect(sh('id -u; id -g', '-u', '77:88')).toBe('77\n88');
    expect(lab.ok('run', '--rm', '--entrypoint', 'echo', IMAGE, 'one', 'two')).toBe('one two');
    expect(lab.docker('run', '--rm', '-u', 'nobodyhere', IMAGE, 'true').stderr).toContain('unable to find user nobodyhere');
  });

  it('limits memory, processes and cpu through cgroups', () => {
    const id = lab.ok('run', '-d', '-m', '64m', '--pids-limit', '40', '--cpus', '0.5', IMAGE, 'sleep', '100');
    const find = (controller: string, file: string): string => readFileSync(`/sys/fs/cgroup/${controller}/minke/${id}/${file}`, 'utf8').trim();
    if (existsSync('/sys/fs/cgroup/cgroup.controllers')) {
      expect(readFileSync(`/sys/fs/cgroup/minke/${id}/memory.max`, 'utf8').trim()).toBe(String(64 * 1024 * 1024));
    } else {
      expect(find('memory', 'memory.limit_in_bytes')).toBe(String(64 * 1024 * 1024));
      expect(find('pids', 'pids.max')).toBe('40');
      expect(find('cpu', 'cpu.cfs_quota_us')).toBe('50000');
    }
    lab.ok('rm', '-f', id);
  });

  it('drops and adds capabilities, and gives all of them to a privileged container', () => {
    const effective = (...options: string[]): bigint => BigInt(`0x${sh("grep CapEff /proc/self/status | cut -f2", ...options)}`);
    const bit = (number: number): bigint => 1n << BigInt(number);
    const [NET_RAW, SYS_ADMIN, CHOWN] = [bit(13), bit(21), bit(0)];
    expect(effective() & (NET_RAW | SYS_ADMIN | CHOWN)).toBe(NET_RAW | CHOWN);
    expect(effective('--cap-drop', 'ALL', '--cap-add', 'NET_RAW')).toBe(NET_RAW);
    expect(effective('--cap-drop', 'chown') & CHOWN).toBe(0n);
    expect(effective('--privileged') & SYS_ADMIN).toBe(SYS_ADMIN);
  });

  it('hides what a container must not see or change', () => {
    expect(sh('cat /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware | wc -l; (echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo refused')).toBe('0\n0\nrefused');
    expect(lab.docker('run', '--rm', '--read-only', IMAGE, 'touch', '/x').code).not.toBe(0);
    expect(sh('touch /scratch/x && mount | grep -c "/scratch type tmpfs"', '--read-only', '--tmpfs', '/scratch:size=1m')).toBe('1');
  });

  it('has host names, servers and devices as asked', () => {
    expect(sh('grep -c 1.2.3.4 /etc/hosts; cat /etc/resolv.conf', '--add-host', 'db:1.2.3.4', '--dns', '10.0.0.53', '--dns-search', 'lan')).toBe('1\nnameserver 10.0.0.53\nsearch lan');
    expect(sh('ls -l /dev/myfuse | cut -c1', '--device', '/dev/null:/dev/myfuse:rw')).toBe('c');
  });

  it('binds folders, fills new volumes from the image, keeps their content', () => {
    labFile(lab, 'shared/note', 'from the host');
    expect(sh('cat /in/note; echo back > /in/reply', '-v', `${lab.folder}/shared:/in`)).toBe('from the host');
    expect(readFileSync(`${lab.folder}/shared/reply`, 'utf8')).toBe('back\n');
    expect(lab.docker('run', '--rm', '-v', `${lab.folder}/shared:/in:ro`, IMAGE, 'touch', '/in/x').code).not.toBe(0);
    expect(sh('cat /data/seed; stat -c %u /data/seed; echo more > /data/more', '-v', 'kept:/data')).toBe('seeded\n1000');
    expect(sh('cat /data/more', '-v', 'kept:/data')).toBe('more');
    expect(lab.ok('volume', 'ls', '-q')).toBe('kept');
    expect(lab.docker('run', '--rm', '--mount', 'type=bind,src=/does/not/exist,dst=/x', IMAGE, 'true').stderr).toContain('bind source path does not exist');
    lab.ok('volume', 'rm', 'kept');
  });

  it('shares the volumes of other containers, which live as long as one of them', () => {
    lab.ok('create', '--name', 'owner', '-v', 'kept:/data', '-v', '/own', IMAGE, 'true');
    lab.ok('create', '--name', 'guest', '--volumes-from', 'owner', IMAGE, 'sh', '-c', 'echo theirs > /own/file');
    lab.ok('start', '-a', 'guest');
    expect(sh('cat /own/file; cat /data/seed; touch /own/x 2>/dev/null || echo no', '--volumes-from', 'owner:ro')).toBe('theirs\nseeded\nno');
    lab.ok('rm', '-v', 'owner');
    expect(lab.ok('volume', 'ls', '-q').split('\n')).toHaveLength(2);
    expect(sh('cat /own/file', '--volumes-from', 'guest')).toBe('theirs');
    lab.ok('rm', '-v', 'guest');
    expect(lab.ok('volume', 'ls', '-q')).toBe('kept');
    expect(lab.docker('run', '--rm', '--volumes-from', 'owner', IMAGE, 'true').stderr).toContain('No such container: owner');
    lab.ok('volume', 'rm', 'kept');
  });

  it('publishes ports to the host, to localhost, and between containers', async () => {
    const id = lab.ok('run', '-d', '-p', '18080:80', '-p', '80', IMAGE, 'httpd', '-f', '-h', '/var/www');
    const fetch = (address: string, port: string) =>
      lab.run(['timeout', '5', 'bash', '-c', `exec 3<>/dev/tcp/${address}/${port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3`]).stdout;
    await waitFor(() => fetch('127.0.0.1', '18080') !== '');
    expect(fetch('127.0.0.1', '18080')).toBe('hello from minke\n');
    expect(fetch('10.114.101.1', '18080')).toBe('hello from minke\n');
    const dynamic = lab.ok('port', id, '80/tcp').split('\n').map((line) => line.split(':')[1]).find((port) => port !== '18080');
    expect(fetch('127.0.0.1', dynamic ?? '')).toBe('hello from minke\n');
    expect(sh('wget -qO- http://10.114.101.1:18080/')).toBe('hello from minke');
    const clash = lab.docker('run', '-d', '--name', 'clash', '-p', '18080:80', IMAGE, 'true');
    expect(clash.stderr).toContain('port is already allocated');
    lab.ok('rm', 'clash');
    lab.ok('rm', '-f', id);
    expect(fetch('127.0.0.1', '18080')).toBe('');
  });

  it('publishes udp ports', async () => {
    // busybox has no UDP server, so the container borrows this one's Node.js.
    const borrowed = ['/usr', '/lib', '/lib64'].filter((path) => existsSync(path)).flatMap((path) => ['-v', `${path}:${path}:ro`]);
    const server = 'const s = require("dgram").createSocket("udp4"); s.on("message", (m, r) => s.send("echo " + m, r.port, r.address)); s.bind(53)';
    const client = 'const s = require("dgram").createSocket("udp4"); s.on("message", (m) => { console.log(String(m)); process.exit() }); s.send("ping", 15353, "127.0.0.1"); setTimeout(() => process.exit(1), 1000)';
    const id = lab.ok('run', '-d', '-p', '15353:53/udp', ...borrowed, IMAGE, process.execPath, '-e', server);
    await waitFor(() => lab.run([process.execPath, '-e', client]).stdout === 'echo ping\n');
    lab.ok('rm', '-f', id);
  });

  it('shares the host network, or none, or another container’s', () => {
    expect(sh('ip link | grep -c ": minke0:"', '--network', 'host')).toBe('1');
    expect(sh('ip -4 addr | grep -c inet', '--network', 'none')).toBe('1');
    const id = lab.ok('run', '-d', IMAGE, 'httpd', '-f', '-h', '/var/www');
    expect(sh('wget -qO- http://127.0.0.1/', '--network', `container:${id}`)).toBe('hello from minke');
    lab.ok('rm', '-f', id);
  });

  it('runs commands in a container', async () => {
    const id = lab.ok('run', '-d', '-e', 'X=1', IMAGE, 'sleep', '100');
    expect(lab.docker('exec', '-e', 'Y=2', '-w', '/tmp', id, 'sh', '-c', 'echo $X$Y $(pwd); echo oops >&2; exit 5')).toEqual({ code: 5, stdout: '12 /tmp\n', stderr: 'oops\n' });
    expect(lab.run(['docker', 'exec', '-i', id, 'cat'], 'through').stdout).toBe('through');
    expect(lab.ok('exec', '-u', 'app', id, 'id', '-u')).toBe('1000');
    expect(lab.docker('exec', id, 'nonsense').code).toBe(127);
    expect(lab.run(['script', '-qec', `stty rows 40 cols 90; docker exec -it ${id} sh -c 'for i in $(seq 100); do [ "$(stty size)" = "40 90" ] && break; sleep 0.1; done; stty size'`, '/dev/null']).stdout).toContain('40 90');
    lab.ok('exec', '-d', id, 'touch', '/tmp/detached');
    await waitFor(() => lab.ok('exec', id, 'ls', '/tmp') === 'detached');
    expect(lab.ok('top', id)).toContain('sleep 100');
    lab.ok('rm', '-f', id);
    expect(lab.docker('exec', id, 'true').stderr).toContain('No such container');
  });

  it('shows logs with tail, times and since, and follows them', async () => {
    const id = lab.ok('run', '-d', IMAGE, 'sh', '-c', 'for i in 1 2 3; do echo line $i; done; echo bad >&2; until [ -e /go ]; do sleep 0.05; done; echo last');
    await waitFor(() => lab.docker('logs', id).stderr === 'bad\n' && lab.ok('logs', id).includes('line 3'));
    expect(lab.docker('logs', '--tail', '2', id)).toMatchObject({ stdout: 'line 3\n', stderr: 'bad\n' });
    expect(lab.docker('logs', '-t', '--tail', '1', id)).toMatchObject({ stdout: '', stderr: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z bad\n$/) });
    const followed = lab.dockerAsync('logs', '-f', id);
    lab.ok('exec', id, 'touch', '/go');
    expect((await followed).stdout).toBe('line 1\nline 2\nline 3\nlast\n');
    expect(lab.ok('logs', '--since', '2100-01-01T00:00:00Z', id)).toBe('');
    lab.ok('rm', id);
  });

  it('stops with the signal and after the patience', () => {
    const polite = lab.ok('run', '-d', IMAGE, 'sh', '-c', 'trap "exit 3" TERM; while :; do sleep 0.1; done');
    lab.ok('stop', polite);
    expect(lab.ok('inspect', '-f', '{{.State.ExitCode}}', polite)).toBe('3');
    const deaf = lab.ok('run', '-d', IMAGE, 'sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done');
    lab.ok('stop', '-t', '1', deaf);
    expect(lab.ok('inspect', '-f', '{{.State.ExitCode}} {{.State.Running}} {{.State.Pid}}', deaf)).toBe('137 false 0');
    lab.ok('start', deaf);
    lab.ok('kill', '-s', 'KILL', deaf);
    expect(lab.ok('wait', deaf)).toBe('137');
    lab.ok('rm', polite, deaf);
  });

  it('pauses and goes on', () => {
    const id = lab.ok('run', '-d', IMAGE, 'sleep', '100');
    lab.ok('pause', id);
    expect(lab.ok('ps', '--format', '{{.Status}}')).toContain('(Paused)');
    lab.ok('unpause', id);
    lab.ok('rm', '-f', id);
  });

  it('starts failed containers again by policy, and gives up when told', async () => {
    const id = lab.ok('run', '-d', '--restart', 'on-failure:3', IMAGE, 'sh', '-c', 'exit 4');
    await waitFor(() => lab.ok('inspect', '-f', '{{.RestartCount}} {{.State.Status}}', id) === '3 exited');
    expect(lab.ok('wait', id)).toBe('4');
    lab.ok('rm', id);
    const always = lab.ok('run', '-d', '--restart', 'always', IMAGE, 'sh', '-c', 'sleep 0.2');
    await waitFor(() => Number(lab.ok('inspect', '-f', '{{.RestartCount}}', always)) >= 2);
    lab.ok('stop', always);
    expect(lab.ok('inspect', '-f', '{{.State.Status}}', always)).toBe('exited');
    lab.ok('rm', always);
  });

  it('lets a stop win over a restart, whenever it comes', async () => {
    for (let round = 0; round < 8; round++) {
      const id = lab.ok('run', '-d', '--restart', 'always', IMAGE, 'true');
      await new Promise((resolve) => setTimeout(resolve, 60 * round));
      lab.ok('stop', '-t', '1', id);
      await new Promise((resolve) => setTimeout(resolve, 250));
      expect(lab.ok('inspect', '-f', '{{.State.Status}}', id)).toBe('exited');
      lab.ok('rm', id);
    }
  });

  it('tells events as they happen', async () => {
    const watching = lab.spawn(['docker', 'events', '--filter', 'type=container', '--format', '{{.Action}} {{.Actor.Attributes.name}}']);
    let seen = '';
    watching.stdout?.on('data', (data: Buffer) => (seen += data.toString()));
    // Whether it listens is seen by what it hears.
    await waitFor(() => {
      lab.ok('rm', lab.ok('create', '--name', 'heard', IMAGE));
      return seen.includes('create heard');
    }, 30_000);
    lab.ok('run', '--rm', '--name', 'watched', IMAGE, 'true');
    const actions = (): string[] => seen.split('\n').flatMap((line) => (line.endsWith(' watched') ? [line.split(' ')[0] ?? ''] : []));
    await waitFor(() => actions().includes('destroy'), 30_000);
    expect(actions()).toEqual(['create', 'attach', 'start', 'die', 'destroy']);
    watching.kill('SIGKILL');
  });

  it('attaches to a running container and detaches by keys', async () => {
    const id = lab.ok('run', '-dit', IMAGE, 'sh');
    const child = lab.spawn(['script', '-qec', `docker attach ${id}`, '/dev/null']);
    let seen = '';
    child.stdout?.on('data', (data: Buffer) => (seen += data.toString()));
    await new Promise((resolve) => setTimeout(resolve, 500));
    child.stdin?.write('echo mar$((1+1))ker\n');
    await waitFor(() => seen.includes('mar2ker'));
    child.stdin?.write('\x10\x11');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(lab.ok('inspect', '-f', '{{.State.Running}}', id)).toBe('true');
    lab.ok('rm', '-f', id);
  });

  it('copies files in and out, of running and of stopped containers', () => {
    const id = lab.ok('run', '-d', '--tmpfs', '/scratch', IMAGE, 'sleep', '1000');
    labFile(lab, 'tree/a/deep file', 'content');
    lab.run(['sh', '-c', `ln -s a/deep\\ file ${lab.folder}/tree/soft; chmod 750 ${lab.folder}/tree/a`]);
    lab.ok('cp', `${lab.folder}/tree`, `${id}:/tmp/copied`);
    expect(lab.ok('exec', id, 'sh', '-c', 'cat "/tmp/copied/a/deep file"; readlink /tmp/copied/soft; stat -c %a /tmp/copied/a')).toBe('content\na/deep file\n750'.replace('content\n', 'content'));
    lab.ok('cp', `${lab.folder}/tree/a/deep file`, `${id}:/scratch/one`);
    expect(lab.ok('exec', id, 'cat', '/scratch/one')).toBe('content');
    lab.ok('cp', `${id}:/tmp/copied`, `${lab.folder}/back`);
    expect(readFileSync(`${lab.folder}/back/a/deep file`, 'utf8')).toBe('content');
    expect(lab.docker('cp', `${id}:/no/such`, lab.folder).stderr).toContain('Could not find the file /no/such');
    lab.ok('stop', '-t', '0', id);
    lab.ok('cp', `${lab.folder}/tree/a/deep file`, `${id}:/root/late`);
    expect(lab.run(['docker', 'cp', `${id}:/root/late`, '-']).stdout).toContain('content');
    expect(lab.run(['sh', '-c', `docker export ${id} | tar -t | grep -c -e '^bin/busybox$' -e '^root/late$'`]).stdout.trim()).toBe('2');
    lab.ok('rm', id);
  });

  it('counts what containers use', () => {
    const id = lab.ok('run', '-d', '-m', '32m', IMAGE, 'sh', '-c', 'while :; do :; done');
    const [cpu = '', memory = '', pids = ''] = lab.ok('stats', '--no-stream', '--format', '{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}', id).split(/ (?=[\d.]+[kKM]?i?B \/|\d+$)/);
    expect(Number.parseFloat(cpu)).toBeGreaterThan(0);
    expect(memory).toContain('/ 32MiB');
    expect(pids).toBe('1');
    // How busy it is depends on what else there is; what was counted does not. It lies between what the kernel says of its process before and after.
    const pid = lab.ok('inspect', '-f', '{{.State.Pid}}', id);
    const consumed = (): number => {
      const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).map(Number) ?? [];
      return (user + system) * 10_000_000; // clock ticks of 10 ms
    };
    const before = consumed();
    const counted = (JSON.parse(lab.run(['curl', '-s', '--unix-socket', lab.socket, `http://x/containers/${id}/stats?stream=0&one-shot=1`]).stdout) as { cpu_stats: { cpu_usage: { total_usage: number } } }).cpu_stats.cpu_usage.total_usage;
    expect(counted).toBeGreaterThanOrEqual(before - 20_000_000);
    expect(counted).toBeLessThanOrEqual(consumed() + 1_000_000_000); // and what preparing it took
    lab.ok('rm', '-f', id);
  });

  it('prunes', () => {
    lab.ok('create', '--name', 'unused', IMAGE);
    lab.ok('volume', 'create');
    expect(lab.ok('system', 'df', '--format', '{{.Type}} {{.TotalCount}}')).toContain('Containers 1');
    expect(lab.ok('system', 'prune', '-f', '--volumes')).toContain('Deleted Containers:');
    expect(lab.ok('volume', 'ls', '-q')).toBe('');
    expect(lab.ok('images', '-q')).not.toBe('');
  });

  it('removes images and what belongs to them', () => {
    lab.ok('tag', IMAGE, 'other:tag');
    expect(lab.ok('rmi', 'other:tag')).toBe('Untagged: other:tag');
    const id = lab.ok('create', IMAGE, 'true');
    expect(lab.docker('rmi', IMAGE).stderr).toContain('must force');
    lab.ok('rm', id);
  });

  it('refuses what it does not know, by Docker’s codes', () => {
    expect(lab.docker('inspect', 'nothing').code).toBe(1);
    expect(lab.docker('run', 'no-such-image:x').stderr).toContain("Unable to find image 'no-such-image:x' locally");
    expect(lab.docker('run', '--name', 'lost', '--network', 'nonet', IMAGE, 'true').stderr).toContain('network nonet not found');
    lab.ok('rm', 'lost');
    lab.ok('create', '--name', 'taken', IMAGE);
    expect(lab.docker('create', '--name', 'taken', IMAGE).stderr).toContain('is already in use by container');
    lab.ok('rm', 'taken');
  });

  it('removes by force what somebody starts at the same moment, and leaves nothing of it', async () => {
    for (let round = 0; round < 20; round += 1) {
      const id = lab.ok('create', IMAGE, 'sleep', '1000');
      const start = lab.dockerAsync('start', id);
      await new Promise((resolve) => setTimeout(resolve, round * 10));
      expect(await lab.dockerAsync('rm', '-f', id)).toMatchObject({ code: 0 });
      await start;
    }
    expect(lab.ok('ps', '-aq')).toBe('');
    await waitFor(() => leftovers(lab).length === 0);
  }, 120_000);

  it('leaves nothing behind', async () => {
    expect(lab.ok('ps', '-aq')).toBe('');
    await waitFor(() => leftovers(lab).length === 0);
  });
});
