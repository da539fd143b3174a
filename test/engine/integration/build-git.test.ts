// Contexts and ADD from git repositories, served within the lab by git's own daemon, and by a plain web server that knows nothing of packs.
import { spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, leftovers, waitFor, type Outcome } from '../support/lab.ts';

const MINKE = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
const obstacle = spawnSync('sh', ['-c', 'command -v git && git --exec-path']).status === 0 ? undefined : 'git is not installed';
const GIT = 'git://127.0.0.1:9418/project';
const WEB = 'http://127.0.0.1:8098/project.git';

describeLab('builds from git repositories', (lab) => {
  const servers: ChildProcess[] = [];
  let commit = '';
  let older = '';
  let count = 0;

  const git = (folder: string, ...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync('git', ['-C', folder, '-c', 'user.name=A', '-c', 'user.email=a@example.org', '-c', 'protocol.file.allow=always', ...args], { env: { PATH: process.env['PATH'] ?? '', GIT_CONFIG_NOSYSTEM: '1', HOME: lab.folder } });
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.toString()}`);
    return stdout.toString().trim();
  };
  const write = (folder: string, files: Record<string, string>): void => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
  };
  const build = (context: string, ...options: string[]): Outcome => lab.run([MINKE, 'build', ...options, context]);
  const built = (context: string, ...options: string[]): string => {
    const { code, stdout, stderr } = build(context, ...options);
    if (code !== 0) throw new Error(`${stdout}\n${stderr}\n${lab.daemonLog().slice(-2000)}`);
    return stdout;
  };
  const dockerfile = (text: string): string => {
    const folder = join(lab.folder, `git-${count++}`);
    write(folder, { Dockerfile: text });
    return folder;
  };
  const run = (image: string, script: string): string => lab.ok('run', '--rm', image, 'sh', '-c', script);

  beforeAll(async () => {
    const [served, source, module] = ['served', 'source', 'module'].map((name) => join(lab.folder, name)) as [string, string, string];
    for (const folder of [served, source, module]) mkdirSync(folder);
    git(module, 'init', '-q', '-b', 'main');
    write(module, { 'in-module': 'of the module\n' });
    git(module, 'add', '.');
    git(module, 'commit', '-qm', 'one');
    git(served, 'clone', '-q', '--bare', module, 'module');
    git(source, 'init', '-q', '-b', 'main');
    write(source, { Dockerfile: `FROM ${IMAGE}\nCOPY . /all/\n`, file: 'first\n', 'sub/Dockerfile': `FROM ${IMAGE}\nCOPY inner /inner\n`, 'sub/inner': 'inner\n' });
    symlinkSync('/etc', join(source, 'out'));
    git(source, 'add', '.');
    git(source, 'commit', '-qm', 'first');
    older = git(source, 'rev-parse', 'HEAD');
    git(source, 'tag', 'v1');
    write(source, { file: 'second\n' });
    git(source, 'commit', '-qam', 'second');
    commit = git(source, 'rev-parse', 'HEAD');
    git(source, 'checkout', '-q', '-b', 'modules');
    git(source, 'submodule', '--quiet', 'add', join(served, 'module'), 'mod');
    git(source, 'config', '-f', '.gitmodules', 'submodule.mod.url', 'git://127.0.0.1:9418/module');
    git(source, 'commit', '-qam', 'with a module');
    git(source, 'checkout', '-q', '-b', 'stealing', 'main');
    git(source, 'submodule', '--quiet', 'add', join(served, 'module'), 'stolen');
    git(source, 'commit', '-qam', 'with a module of the machine that builds');
    git(source, 'checkout', '-qf', 'main');
    git(served, 'clone', '-q', '--bare', source, 'project');
    git(served, 'clone', '-q', '--bare', source, 'project.git');
    git(join(served, 'project.git'), 'update-server-info');
    servers.push(lab.spawn(['git', 'daemon', '--export-all', `--base-path=${served}`, '--listen=127.0.0.1', '--reuseaddr']), lab.spawn(['busybox', 'httpd', '-f', '-p', '127.0.0.1:8098', '-h', served]));
    await waitFor(() => lab.run(['git', 'ls-remote', GIT]).code === 0 && lab.run(['git', 'ls-remote', WEB]).code === 0);
  });
  afterAll(() => {
    for (const server of servers) server.kill();
  });

  it.each([['git', GIT], ['plain http', WEB]])('takes a context by %s: branch, tag, commit, folder', (_, url) => {
    built(url, '-t', 'whole');
    expect(run('whole', 'cat /all/file; ls -A /all')).toBe('second\nDockerfile\nfile\nout\nsub');
    built(`${url}#v1`, '-t', 'tag');
    expect(run('tag', 'cat /all/file')).toBe('first');
    built(`${url}#main`, '-t', 'branch');
    expect(run('branch', 'cat /all/file')).toBe('second');
    for (const name of [older, older.slice(0, 10)]) {
      built(`${url}#${name}`, '-t', 'old');
      expect(run('old', 'cat /all/file')).toBe('first');
    }
    built(`${url}#:sub`, '-t', 'folder');
    expect(run('folder', 'cat /inner')).toBe('inner');
    expect(built(`${url}#main`).split('Using cache').length - 1).toBe(1);
    built(url, '-t', 'kept', '--build-arg', 'BUILDKIT_CONTEXT_KEEP_GIT_DIR=1');
    expect(run('kept', 'ls -d /all/.git')).toBe('/all/.git');
  });

  it('brings submodules, over the network alone', () => {
    built(`${GIT}#modules`, '-t', 'modules');
    expect(run('modules', 'cat /all/mod/in-module; find /all -name .git')).toBe('of the module');
    const { code, stderr } = build(`${GIT}#stealing`);
    expect(code).toBe(1);
    expect(stderr).toContain('cannot fetch');
  });

  it('adds repositories, and goes by their commit', () => {
    const folder = dockerfile(`FROM ${IMAGE}\nADD ${GIT}#main /repo\nADD ${GIT}#v1:sub /sub/\nADD --keep-git-dir=true --checksum=${commit} ${WEB}#main /kept\nRUN date +%N > /when\n`);
    built(folder, '-t', 'added');
    expect(run('added', 'cat /repo/file /sub/inner; ls -A /repo; ls -d /kept/.git')).toBe('second\ninner\nDockerfile\nfile\nout\nsub\n/kept/.git');
    expect(built(folder).split('Using cache').length - 1).toBe(4);
    expect(build(dockerfile(`FROM ${IMAGE}\nADD --checksum=${older} ${GIT}#main /repo\n`)).stderr).toContain(`digest mismatch for ${GIT}#main: expected ${older}, got ${commit}`);
  });

  it('refuses what is not there, leads out, or would be an option', () => {
    const said = (context: string): string => {
      const { code, stderr } = build(context);
      expect(code).toBe(1);
      return stderr;
    };
    expect(said(`${GIT}#nothing`)).toContain('nothing');
    expect(said(`${GIT}-missing`)).toContain('cannot fetch');
    expect(said(`${GIT}#:nowhere`)).toContain('there is no folder "nowhere"');
    expect(said(`${GIT}#:out`)).toContain('there is no folder "out"');
    expect(said(`${GIT}#--upload-pack=touch /tmp/x`)).toContain('is no name of a branch');
    expect(said('ssh://-oProxyCommand=touch/x')).toContain('is no address of a repository');
    expect(build(dockerfile(`FROM ${IMAGE}\nADD git://-x/y /z\n`)).stderr).toContain('is no address of a repository');
    expect(leftovers(lab)).toEqual([]);
  });

  it('says what to do where the daemon has no git', async () => {
    await lab.signalDaemon('SIGTERM');
    const path = join(lab.folder, 'bin');
    mkdirSync(path);
    for (const program of ['crun', 'conmon', 'nft', 'ip', 'busybox', 'nsenter', 'docker']) symlinkSync(spawnSync('sh', ['-c', `command -v ${program}`]).stdout.toString().trim(), join(path, program));
    const daemon = lab.spawn(['env', `PATH=${path}`, MINKE, 'daemon', '-H', `unix://${lab.socket}`, '--data-root', lab.dataRoot, '--exec-root', lab.execRoot, '--pidfile', join(lab.folder, 'minke.pid'), '--config-file', join(lab.folder, 'daemon.json')]);
    await waitFor(() => lab.docker('version').code === 0);
    const { stderr, code } = build(GIT);
    expect(code).toBe(1);
    expect(stderr).toContain('there is no git program where the daemon runs');
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill('SIGTERM');
    await ended;
    await lab.startDaemon();
  });
}, { obstacle });
