import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync, chmodSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeLab } from '../support/describe-lab.ts';
import { tarFile, tarFolder, tarOf, tarSymlink } from '../support/tar-writer.ts';
import { expect, it } from 'vitest';
import { IMAGE, leftovers, waitFor, type Outcome } from '../support/lab.ts';

describeLab('docker build', (lab) => {
  let count = 0;

  /** A folder with a Dockerfile and other files. */
  function project(dockerfile: string, files: Record<string, string> = {}): string {
    const folder = join(lab.folder, `project-${count++}`);
    for (const [name, content] of Object.entries({ Dockerfile: dockerfile, ...files })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    return folder;
  }
  function build(folder: string, ...options: string[]): Outcome {
    return lab.run(['env', 'DOCKER_BUILDKIT=0', 'docker', 'build', ...options, folder]);
  }
  function built(folder: string, ...options: string[]): string {
    const { code, stdout, stderr } = build(folder, ...options);
    if (code !== 0) throw new Error(`${stdout}\n${stderr}\n${lab.daemonLog().slice(-2000)}`);
    return stdout;
  }
  /** A request by hand, for what the docker CLI does not ask for. */
  const post = (path: string, body: Buffer | string): string => {
    const script = "const r = require('node:http').request({ socketPath: process.argv[1], path: process.argv[2], method: 'POST', headers: { 'Content-Type': 'application/x-tar' } }, (a) => a.pipe(process.stdout)); process.stdin.pipe(r);";
    return lab.run([process.execPath, '-e', script, lab.socket, path], body).stdout;
  };
  const inspect = (image: string, what: string): unknown => JSON.parse(lab.ok('image', 'inspect', '-f', `{{json ${what}}}`, image)) as unknown;
  const out = (image: string, script: string): string => lab.ok('run', '--rm', '--entrypoint', 'sh', image, '-c', script);

  it('carries out the usual instructions, and says so as Docker does', () => {
    const folder = project(
      ['ARG BASE=nothing', 'FROM $BASE AS first', 'ARG GREETING=hello', 'ENV WHO="the world" HOW=${GREETING}', 'WORKDIR /srv/app', 'COPY --chown=app a.txt sub/ ./', 'RUN echo "$HOW $WHO" > said && id -u > uid', 'USER app', 'RUN id -un > /tmp/me',
        'EXPOSE 80 53/udp', 'LABEL a=b "c d"="e f"', 'VOLUME /data', 'STOPSIGNAL SIGINT', 'HEALTHCHECK --interval=5s CMD true', 'ENTRYPOINT ["cat"]', 'CMD ["said"]'].join('\n'),
      { 'a.txt': 'a\n', 'sub/b.txt': 'b\n', 'sub/deep/c.txt': 'c\n' },
    );
    const text = built(folder, '-t', 'usual', '-t', 'usual:two', '--build-arg', `BASE=${IMAGE}`, '--build-arg', 'GREETING=good day', '--build-arg', 'UNKNOWN=1', '--label', "own=it's");
    expect(text).toContain('Step 1/17 : ARG BASE=nothing\nStep 2/17 : FROM $BASE AS first\n ---> ');
    expect(text).toMatch(/Step 7\/17 : RUN .*\n ---> Running in [0-9a-f]{12}\n ---> Removed intermediate container [0-9a-f]{12}\n ---> [0-9a-f]{12}\n/);
    expect(text).toMatch(/\[Warning\] One or more build-args \[UNKNOWN\] were not consumed\nSuccessfully built [0-9a-f]{12}\nSuccessfully tagged usual:latest\nSuccessfully tagged usual:two\n$/);
    expect(lab.ok('run', '--rm', 'usual')).toBe('good day the world');
    expect(out('usual', 'pwd; cat uid a.txt b.txt deep/c.txt /tmp/me; stat -c "%U %a" a.txt deep . /srv; echo $HOW')).toBe('/srv/app\n0\na\nb\nc\napp\napp 644\napp 755\nroot 755\nroot 755\ngood day');
    expect(inspect('usual', '.Config')).toMatchObject({
      User: 'app', WorkingDir: '/srv/app', ExposedPorts: { '80/tcp': {}, '53/udp': {} }, Labels: { a: 'b', 'c d': 'e f', own: "it's" }, Volumes: { '/data': {} }, StopSignal: 'SIGINT', Entrypoint: ['cat'], Cmd: ['said'],
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9 },
    });
  });

  it('uses what it made before, until a file, an instruction or an argument changes', () => {
    const files = { one: '1', two: '2' };
    const lines = ['FROM busybox:lab', 'ARG X=1', 'COPY one /one', 'RUN date +%N > /when', 'COPY two /two', 'RUN echo $X > /x'];
    const folder = project(lines.join('\n'), files);
    const cached = (text: string): number => text.split('Using cache').length - 1;
    expect(cached(built(folder, '-t', 'cached'))).toBe(0);
    const id = lab.ok('image', 'inspect', '-f', '{{.Id}}', 'cached');
    expect(cached(built(folder, '-t', 'cached'))).toBe(5);
    expect(lab.ok('image', 'inspect', '-f', '{{.Id}}', 'cached')).toBe(id);
    // Times alone change nothing.
    expect(cached(built(project(lines.join('\n'), files)))).toBe(5);
    expect(cached(built(project(lines.join('\n'), { ...files, two: '3' })))).toBe(3);
    const other = project(lines.join('\n'), files);
    chmodSync(join(other, 'one'), 0o755);
    expect(cached(built(other))).toBe(1);
    expect(cached(built(folder, '--build-arg', 'X=2'))).toBe(2);
    expect(cached(built(folder, '--no-cache'))).toBe(0);
    expect(cached(built(folder, '--cache-from', 'nosuchimage'))).toBe(0);
  });

  it('builds stages, takes from them and from images, and leaves out what the target does not need', () => {
    const folder = project(
      ['FROM busybox:lab AS base', 'RUN mkdir /made && echo made > /made/file && chown 7:8 /made/file', 'FROM base AS unneeded', 'RUN exit 9', 'FROM scratch AS slim', 'COPY --from=base /made /made', 'COPY --from=0 /bin/busybox /bin/busybox', 'COPY --from=busybox:lab /var/www/index.html /www/', 'FROM base AS last', 'COPY --from=slim /www /www', 'RUN cat /www/index.html'].join('\n'),
    );
    expect(built(folder, '-t', 'staged')).toContain('hello from minke');
    expect(built(folder, '-t', 'slim', '--target', 'slim')).toContain('Step 6/6');
    expect(lab.ok('run', '--rm', 'slim', '/bin/busybox', 'stat', '-c', '%u:%g %n', '/made/file', '/www/index.html', '/bin/busybox')).toBe('7:8 /made/file\n0:0 /www/index.html\n0:0 /bin/busybox');
    expect(inspect('slim', '.RootFS.Layers')).toHaveLength(3);
    expect(build(folder, '--target', 'nowhere').stderr).toContain('failed to reach build target nowhere in Dockerfile');
  });

  it('copies with wildcards, links, modes, documents and from archives', () => {
    const folder = project(
      ['FROM busybox:lab', 'COPY *.txt [d]ir/?.md /w/', 'COPY --chmod=700 a.txt /mode', 'COPY link.txt /followed', 'COPY linked /links/', 'COPY <<EOF /doc', 'value $PATH', 'EOF', "COPY --chown=app <<'ONE' <<\"TWO\" /docs/", '$PATH', 'ONE', '2', 'TWO', 'ADD files.tar.gz /unpacked/', 'COPY files.tar.gz /kept/', 'RUN mkdir /real && ln -s /real /alias', 'COPY dir /alias', 'COPY --exclude=*.md dir /some/'].join('\n'),
      { 'a.txt': 'A', 'b.txt': 'B', 'dir/x.md': 'X', 'dir/yy.md': 'Y', 'dir/z': 'Z', 'linked/file': 'F' },
    );
    symlinkSync('a.txt', join(folder, 'link.txt'));
    symlinkSync('file', join(folder, 'linked/soft'));
    lab.run(['tar', 'czf', join(folder, 'files.tar.gz'), '--owner=3', '--group=4', '-C', join(folder, 'dir'), '.']);
    built(folder, '-t', 'copies');
    const script = 'ls /w; stat -c %a /mode; cat /followed; echo; readlink /links/soft; cat /doc /docs/ONE /docs/TWO; stat -c %U /docs/TWO; ls /unpacked; stat -c %u:%g /unpacked/z; ls /kept /real /some';
    expect(out('copies', script)).toBe(
      'a.txt\nb.txt\nlink.txt\nx.md\n700\nA\nfile\nvalue /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n$PATH\n2\napp\nx.md\nyy.md\nz\n3:4\n/kept:\nfiles.tar.gz\n\n/real:\nx.md\nyy.md\nz\n\n/some:\nz',
    );
  });

  it('tells what is wrong, and leaves no container behind', () => {
    const failing = build(project('FROM busybox:lab\nRUN echo before; echo wrong >&2; exit 3'));
    expect(failing.code).toBe(3);
    expect(failing.stdout).toContain('before\n');
    expect(`${failing.stdout}${failing.stderr}`).toContain("The command '/bin/sh -c echo before; echo wrong >&2; exit 3' returned a non-zero code: 3");
    expect(build(project('FROM busybox:lab\nRUNN x')).stderr).toContain('dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)');
    expect(build(project('FROM busybox:lab\nCOPY missing /')).stderr).toContain('COPY failed: file not found in build context or excluded by .dockerignore: stat missing: file does not exist');
    expect(build(project('FROM busybox:lab\nCOPY ../../../etc/passwd /')).stderr).toContain('file does not exist');
    expect(build(project('FROM busybox:lab\nCOPY a b /c', { a: '', b: '' })).stderr).toContain('the destination must be a directory and end with a /');
    expect(build(project('FROM busybox:lab\nUSER nobody-there\nRUN true')).stderr).toContain('unable to find user nobody-there');
    expect(build(project('FROM scratch')).stderr).toContain('No image was generated');
    expect(build(project('FROM busybox:lab', { '.dockerignore': 'Dockerfile' })).code).toBe(0);
    expect(lab.ok('ps', '-aq')).toBe('');
  });

  it('carries out what an image asks of those who build on it', () => {
    built(project('FROM busybox:lab\nONBUILD COPY src /src\nONBUILD RUN echo triggered > /by'), '-t', 'parent');
    expect(inspect('parent', '.Config.OnBuild')).toEqual(['COPY src /src', 'RUN echo triggered > /by']);
    const text = built(project('FROM parent\nRUN cat /src /by', { src: 'source\n' }), '-t', 'child');
    expect(text).toContain('# Executing 2 build triggers\n');
    expect(text).toContain('source\ntriggered\n');
    expect(inspect('child', '.Config.OnBuild')).toBeNull();
  });

  it('runs scripts and puts mounts where commands want them', () => {
    const folder = project(
      ['FROM busybox:lab AS tools', 'RUN echo tool > /tool', 'FROM busybox:lab', 'RUN <<EOF', 'set -e', 'X=script', 'echo "$X" > /by-script', 'EOF', 'RUN <<EOF', '#!/bin/awk -f', 'BEGIN { print "awk" > "/by-awk" }', 'EOF', "RUN cat <<'END' > /by-cat", '$X', 'END',
        'RUN --mount=type=bind,source=in,target=/mnt/in --mount=type=bind,from=tools,source=/tool,target=/mnt/tool cat /mnt/in/file /mnt/tool > /bound; ! touch /mnt/in/x',
        'RUN --mount=type=cache,target=/cache echo kept >> /cache/log; cp /cache/log /first', 'RUN --mount=type=cache,target=/cache echo more >> /cache/log; cp /cache/log /second',
        'RUN --mount=type=tmpfs,target=/scratch,size=1m grep " /scratch " /proc/mounts | cut -d " " -f 3 > /kind', 'RUN --mount=type=secret,id=none test ! -e /run/secrets/none'].join('\n'),
      { 'in/file': 'context\n' },
    );
    built(folder, '-t', 'mounts');
    expect(out('mounts', 'cat /by-script /by-awk /by-cat /bound /first /second /kind; ls -d /mnt /cache /scratch /run/secrets 2>&1 | grep -vc "No such" || true')).toBe('script\nawk\n$X\ncontext\ntool\nkept\nkept\nmore\ntmpfs\n0');
  });

  it('makes one layer of all with --squash', () => {
    const folder = project('FROM busybox:lab\nRUN echo 1 > /one; mkdir /d; echo x > /d/old\nRUN rm /one /var/www/index.html; rm -rf /d; mkdir /d; echo y > /d/new\nRUN echo 2 > /two');
    post('/v1.41/build?t=squashed&squash=1', spawnSync('tar', ['c', '-C', folder, '.']).stdout);
    expect(inspect('squashed', '.RootFS.Layers')).toHaveLength(2);
      expect(lab.docker('run', '--rm', 'squashed', 'sh', '-c', 'ls /d /two; ls -A /var/www; test -e /one || echo gone').stdout).toBe('/two\n\n/d:\nnew\ngone\n');
  });

  it('is done by minke itself: files left out, volumes, secrets, and what standard input brings', () => {
    const minke = (input: string | Buffer | undefined, ...args: string[]): string => {
      const { code, stdout, stderr } = lab.run(['env', `MINKE_SECRET=from a variable`, process.env['OSBUILD_ENGINE_BINARY'] ?? '', '-H', `unix://${lab.socket}`, ...args], input);
      if (code !== 0) throw new Error(`${stdout}\n${stderr}`);
      return stdout;
    };
    const long = `${'deep/'.repeat(30)}file`;
    const folder = project(
      ['FROM busybox:lab', 'COPY . /all/', 'RUN cat /outside/own > /seen && echo back > /outside/back', 'RUN --mount=type=secret,id=key,required wc -c < /run/secrets/key > /n', 'RUN --mount=type=secret,id=other,env=OTHER test "$OTHER" = "from a variable"'].join('\n'),
      { '.dockerignore': '*.log\nsecret\n!keep.log\nDockerfile', 'a.log': '', 'keep.log': '', 'secret/x': '', 'sub/b': '', [long]: 'long\n', 'exe.sh': '' },
    );
    chmodSync(join(folder, 'exe.sh'), 0o750);
    symlinkSync('sub/b', join(folder, 'link'));
    mkdirSync(join(lab.folder, 'outside'), { recursive: true });
    writeFileSync(join(lab.folder, 'outside/own'), 'of the machine\n');
    writeFileSync(join(lab.folder, 'key'), 'k3y-of-someone');
    const text = minke(undefined, 'build', '-t', 'own', '-v', `${join(lab.folder, 'outside')}:/outside`, '--secret', `id=key,src=${join(lab.folder, 'key')}`, '--secret', 'id=other,env=MINKE_SECRET', '--iidfile', join(lab.folder, 'iid'), folder);
    expect(text).toContain('Successfully tagged own:latest');
    expect(lab.run(['cat', join(lab.folder, 'iid')]).stdout).toBe(lab.ok('image', 'inspect', '-f', '{{.Id}}', 'own'));
    expect(out('own', `cd /all; find . -type f -o -type l | sort; stat -c %a exe.sh; cat ${long} /seen /n; ls -d /outside || echo none`)).toBe(`./.dockerignore\n./${long}\n./exe.sh\n./keep.log\n./link\n./sub/b\n750\nlong\nof the machine\n14\nnone`);
    expect(lab.run(['cat', join(lab.folder, 'outside/back')]).stdout).toBe('back\n');
    expect(lab.run(['sh', '-c', `grep -rl k3y-of-someone ${lab.dataRoot} ${lab.execRoot}`]).stdout).toBe('');
    expect(minke('FROM busybox:lab\nRUN echo from-input', 'build', '-')).toContain('from-input\n');
    expect(minke('FROM busybox:lab\nCOPY keep.log /\nRUN ls /keep.log', 'build', '-q', '-f', '-', folder)).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    writeFileSync(join(folder, 'Second'), 'FROM busybox:lab\nCOPY sub /sub\nRUN ls /sub');
    expect(minke(spawnSync('tar', ['cz', '-C', folder, '.']).stdout, 'build', '-f', 'Second', '-')).toMatch(/Running in [0-9a-f]+\nb\n/);
    expect(lab.run([process.env['OSBUILD_ENGINE_BINARY'] ?? '', '-H', `unix://${lab.socket}`, 'build', join(folder, 'nowhere')]).stderr).toContain('not found');
  });

  it('adds from addresses, and lets no context reach out of its folder', () => {
    const served = join(lab.folder, 'served');
    mkdirSync(served);
    writeFileSync(join(served, 'page.txt'), 'from afar\n');
    lab.run(['tar', 'czf', join(served, 'a.tgz'), '-C', served, 'page.txt']);
    const web = lab.spawn(['busybox', 'httpd', '-f', '-p', '127.0.0.1:8099', '-h', served]);
    try {
      const digest = createHash('sha256').update('from afar\n').digest('hex');
      const at = 'http://127.0.0.1:8099';
      built(project(`FROM busybox:lab\nADD ${at}/page.txt ${at}/a.tgz /got/\nADD --checksum=sha256:${digest} ${at}/page.txt?x=1 /named`), '-t', 'added');
      expect(out('added', 'cat /got/page.txt /named; stat -c "%a %u %n" /got/*')).toBe('from afar\nfrom afar\n600 0 /got/a.tgz\n600 0 /got/page.txt');
      expect(build(project(`FROM busybox:lab\nADD ${at}/missing /x`)).stderr).toContain(`failed to GET ${at}/missing with status 404`);
      expect(build(project(`FROM busybox:lab\nADD --checksum=sha256:${'0'.repeat(64)} ${at}/page.txt /x`)).stderr).toContain('digest mismatch');
    } finally {
      web.kill('SIGKILL');
    }
    const send = (tar: Buffer): string => post('/v1.41/build', tar);
    const escape = join(lab.folder, 'escaped');
    mkdirSync(escape);
    const dockerfile = tarFile('Dockerfile', 'FROM busybox:lab\nCOPY link /c\nRUN cat /c/x; ls -R /c');
    expect(send(tarOf([tarSymlink('link', escape), tarFile('link/x', ''), dockerfile]))).toContain('the build context cannot be unpacked');
    expect(send(tarOf([tarFolder('real'), tarSymlink('link', '/real'), tarFile('link/x', 'inside\n'), dockerfile]))).toContain('inside');
    expect(send(tarOf([dockerfile, tarFile(`../../../..${escape}/y`, 'x')]))).toContain('points outside of its root');
    expect(send(tarOf([tarSymlink('link', '/etc'), dockerfile]))).toContain('file does not exist');
    expect(send(Buffer.from('no archive at all'.repeat(100)))).toContain('not an archive');
    expect(send(tarOf([tarFile('other', '')]))).toContain('Cannot locate specified Dockerfile: Dockerfile');
    expect(readdirSync(escape)).toEqual([]);
    expect(readdirSync(join(lab.dataRoot, 'tmp'))).toEqual([]);
  });

  it('hides its steps among the images, and takes them along', () => {
    const before = lab.ok('images', '-q').split('\n').length;
    const folder = project('FROM busybox:lab\nENV only=here\nRUN echo x > /only-here\nRUN echo y > /and-here');
    built(folder, '-t', 'chain');
    expect(lab.ok('images', '-q').split('\n')).toHaveLength(before + 1);
    const parent = lab.ok('image', 'inspect', '-f', '{{.Parent}}', 'chain');
    expect(lab.ok('run', '--rm', parent, 'sh', '-c', 'cat /only-here; ls /and-here 2>&1; true')).toContain('x\nls: /and-here');
    expect(lab.ok('images', '-aq', '--no-trunc').split('\n')).toContain(parent);
    const removed = lab.ok('rmi', 'chain').split('\n').filter((line) => line.startsWith('Deleted:'));
    expect(removed).toHaveLength(3);
    expect(lab.ok('images', '-aq', '--no-trunc').split('\n')).not.toContain(parent);
    build(project('FROM busybox:lab\nENV lost=1\nRUN false'));
    expect(lab.ok('images', '-q').split('\n')).toHaveLength(before);
    const pruned = post('/v1.41/build/prune', '');
    expect(JSON.parse(pruned)).toMatchObject({ CachesDeleted: expect.arrayContaining([expect.stringMatching(/^sha256:/)]) as unknown });
    expect(lab.ok('images', '-q').split('\n')).toHaveLength(before);
  });

  it('goes when its client goes, with everything that it had begun', async () => {
    const folder = project('FROM busybox:lab\nCOPY big /big\nRUN sleep 1000', { big: 'x'.repeat(3_000_000) });
    const child = lab.spawn(['env', 'DOCKER_BUILDKIT=0', 'docker', 'build', folder]);
    await waitFor(() => lab.docker('ps', '-q').stdout.trim() !== '');
    child.kill('SIGKILL');
    await waitFor(() => lab.docker('ps', '-aq').stdout.trim() === '' && leftovers(lab).length === 0);
    await waitFor(() => readdirSync(join(lab.dataRoot, 'tmp')).length + readdirSync(join(lab.dataRoot, 'build/running')).length === 0);
  });

  it('begins a cache with what a stage has, once', () => {
    const lines = (run: string) => `FROM busybox:lab AS seed\nRUN mkdir -p /s/deep && echo seed > /s/deep/file\nFROM busybox:lab\nRUN --mount=type=cache,id=seeded,target=/c,from=seed,source=/s ${run}`;
    built(project(lines('cat /c/deep/file > /first && echo changed > /c/deep/file')), '-t', 'seeded');
    expect(out('seeded', 'cat /first; ls -d /c 2>/dev/null; true')).toBe('seed');
    built(project(lines('cat /c/deep/file > /second')), '-t', 'seeded');
    expect(out('seeded', 'cat /second')).toBe('changed');
    expect(build(project(lines('true').replace('source=/s', 'source=/none').replace('id=seeded', 'id=other'))).stderr).toContain('there is no /none in seed');
  });

  it('lends an ssh agent to a command', async () => {
    const minke = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
    const socket = join(lab.folder, 'agent.sock');
    const agent = lab.spawn([process.execPath, '-e', "require('node:net').createServer((c) => c.destroy()).listen(process.argv[1], () => console.log('up'))", socket]);
    await new Promise((resolve) => agent.stdout?.once('data', resolve));
    const folder = project('FROM busybox:lab\nRUN --mount=type=ssh,required test -S "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK" > /said\nRUN ls -d /run/buildkit; echo "none${SSH_AUTH_SOCK}" >> /said');
    const ours = (env: string[], ...options: string[]) => lab.run(['env', ...env, minke, 'build', ...options, folder]);
    expect(ours([`SSH_AUTH_SOCK=${socket}`], '--ssh', 'default', '-t', 'agent')).toMatchObject({ code: 0 });
    expect(out('agent', 'cat /said; ls -d /run/buildkit 2>/dev/null; true')).toBe('/run/buildkit/ssh_agent.0\nnone');
    expect(ours([], '--ssh', `default=${socket}`)).toMatchObject({ code: 0 });
    expect(ours([]).stderr).toContain('the ssh agent default is required and was not given');
    expect(ours(['SSH_AUTH_SOCK='], '--ssh', 'default').stderr).toContain('invalid empty ssh agent socket');
    expect(ours([], '--ssh', `default=${folder}/Dockerfile`).stderr).toContain('is no socket of an ssh agent');
    agent.kill();
  });

  it('cut short by a kill leaves nothing that the next start does not clear', async () => {
    const folder = project('FROM busybox:lab AS one\nRUN echo 1 > /1\nFROM busybox:lab\nRUN --mount=type=bind,from=one,target=/one sleep 1000');
    const child = lab.spawn(['env', 'DOCKER_BUILDKIT=0', 'docker', 'build', folder]);
    await waitFor(() => lab.docker('ps', '-q').stdout.trim() !== '');
    await lab.signalDaemon('SIGKILL');
    child.kill('SIGKILL');
    await lab.startDaemon();
    expect(lab.ok('ps', '-aq')).toBe('');
    await waitFor(() => leftovers(lab).length === 0);
    expect([readdirSync(join(lab.dataRoot, 'tmp')), readdirSync(join(lab.dataRoot, 'build/running')), readdirSync(join(lab.dataRoot, 'containers'))]).toEqual([[], [], []]);
  });
});
