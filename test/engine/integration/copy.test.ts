// `minke cp` against the docker command line: the same copies by both, with the same outcome to the last mode and word.
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync, chmodSync, chownSync, existsSync, lutimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, type Outcome } from '../support/lab.ts';
import { tarFile, tarOf } from '../support/tar-writer.ts';

const MINKE = process.env['OSBUILD_ENGINE_BINARY'] ?? '';

/** A folder with everything that copies treat differently. */
function fill(folder: string): void {
  mkdirSync(join(folder, 'dir/sub'), { recursive: true });
  writeFileSync(join(folder, 'file'), 'a file\n');
  writeFileSync(join(folder, 'dir/inner'), 'inner\n');
  writeFileSync(join(folder, 'dir/sub/deep'), 'x'.repeat(70_000));
  chmodSync(join(folder, 'dir/inner'), 0o640);
  chownSync(join(folder, 'dir/inner'), 1234, 4321);
  symlinkSync('file', join(folder, 'link'));
  symlinkSync('dir', join(folder, 'dirlink'));
  symlinkSync('nowhere', join(folder, 'broken'));
  for (const name of ['file', 'dir/inner', 'dir/sub/deep', 'link', 'dirlink', 'broken']) lutimesSync(join(folder, name), 1_700_000_000, 1_700_000_000);
}

const list = 'find . | sort | while read -r f; do stat -c "%n %F %a %u:%g" "$f"; [ -h "$f" ] && readlink "$f"; [ -f "$f" ] && [ ! -h "$f" ] && md5sum "$f"; done; true';

describeLab('minke cp', (lab) => {
  let work = '';
  const both = (run: (program: string) => { outcome: Outcome; tree: string }): void => {
    const [theirs, ours] = [run('docker'), run(MINKE)];
    expect({ ...ours.outcome, tree: ours.tree }).toEqual({ ...theirs.outcome, tree: theirs.tree });
  };
  /** Without the lines that docker logs about its own pipes. */
  const at = (folder: string, argv: readonly string[]): Outcome => {
    const outcome = lab.run(['sh', '-c', 'cd "$0" && "$@"', folder, ...argv]);
    return { ...outcome, stderr: outcome.stderr.replaceAll(/^time=.*\n/gm, '') };
  };

  beforeAll(() => {
    work = join(lab.folder, 'work');
    lab.ok('run', '-d', '--name', 'box', IMAGE, 'sleep', '1000');
    lab.ok('run', '-d', '--name', 'user', '-u', '77:88', IMAGE, 'sleep', '1000');
    fill(join(lab.folder, 'seed'));
    lab.ok('cp', join(lab.folder, 'seed'), 'box:/seed');
  });

  it.each([
    ['a file to a new name', 'box:/seed/file', 'new'],
    ['a file into a folder', 'box:/seed/file', 'there'],
    ['a file into a folder, with a slash', 'box:/seed/file', 'there/'],
    ['a file over a file', 'box:/seed/file', 'there/old'],
    ['a file to a folder that is missing', 'box:/seed/file', 'missing/'],
    ['a file below a folder that is missing', 'box:/seed/file', 'missing/name'],
    ['a file through a link to a folder', 'box:/seed/file', 'to-there'],
    ['a file through a link to a name that is missing', 'box:/seed/file', 'to-new'],
    ['a folder to a new name', 'box:/seed/dir', 'new'],
    ['a folder into a folder', 'box:/seed/dir', 'there'],
    ["a folder's content into a folder", 'box:/seed/dir/.', 'there'],
    ["a folder's content to a new name", 'box:/seed/dir/.', 'new'],
    ['a folder over a file', 'box:/seed/dir', 'there/old'],
    ['a folder over a link to a file', 'box:/seed/dir', 'to-old'],
    ['a folder to a new name with a slash', 'box:/seed/dir', 'new/'],
    ['a link as a link', 'box:/seed/link', 'new'],
    ['a link as a link into a folder', 'box:/seed/link', 'there'],
    ['a link to a folder with a slash', 'box:/seed/dirlink/', 'there'],
    ['a link to a folder with a slash to a new name', 'box:/seed/dirlink/', 'new'],
    ["the content of a link's folder", 'box:/seed/dirlink/.', 'there'],
    ['a broken link', 'box:/seed/broken', 'new'],
    ['a relative path', 'box:seed/file', '.'],
    ['all', 'box:/seed', 'there'],
    ['what is missing', 'box:/nothing', 'there'],
    ['from a container that is missing', 'none:/seed', 'there'],
    ['a folder where a file of its name is', 'box:/seed/dir', 'clash'],
  ])('copies out %s', (_, from, to) => {
    for (const flags of [[], ['-L', '-a']]) {
      both((program) => {
        rmSync(work, { recursive: true, force: true });
        mkdirSync(join(work, 'there'), { recursive: true });
        mkdirSync(join(work, 'clash'));
        writeFileSync(join(work, 'clash/dir'), 'a file');
        writeFileSync(join(work, 'there/old'), 'old');
        symlinkSync('there', join(work, 'to-there'));
        symlinkSync('there/new', join(work, 'to-new'));
        symlinkSync('there/old', join(work, 'to-old'));
        const outcome = at(work, [program, 'cp', ...flags, from, to]);
        return { outcome, tree: lab.run(['sh', '-c', `cd ${work} && ${list}`]).stdout };
      });
    }
  });

  it.each([
    ['a file to a new name', 'file', '/t/new'],
    ['a file into a folder', 'file', '/t/there'],
    ['a file over a file', './file', '/t/there/old'],
    ['a file to a folder that is missing', 'file', '/t/missing/'],
    ['a file below a folder that is missing', 'file', '/t/missing/name'],
    ['a file through a link to a folder', 'file', '/t/to-there'],
    ['a file through a link to a file', 'file', '/t/to-old'],
    ['a file through a link to a name that is missing', 'file', '/t/to-new'],
    ['a folder to a new name', 'dir', '/t/new'],
    ['a folder into a folder', 'dir', '/t/there'],
    ['a folder with a slash into a folder', 'dir/', '/t/there/'],
    ["a folder's content into a folder", 'dir/.', '/t/there'],
    ["a folder's content to a new name", 'dir/.', '/t/new'],
    ['the folder itself', '.', '/t/there'],
    ['a folder over a file', 'dir', '/t/there/old'],
    ['a folder where a file of its name is', 'dir', '/t/clash'],
    ['a link as a link', 'link', '/t/there'],
    ['a link as a link to a new name', 'link', '/t/new'],
    ['a link to a folder', 'dirlink', '/t/there'],
    ['a link to a folder with a slash', 'dirlink/', '/t/there'],
    ['a link to a folder with a slash to a new name', 'dirlink/', '/t/new'],
    ['a broken link', 'broken', '/t/there'],
    ['to a relative path', 'file', 't/there'],
    ['what is missing', 'nothing', '/t/there'],
    ['below what is missing', 'nothing/file', '/t/there'],
    ['to a device', 'file', '/dev/null'],
  ])('copies in %s', (_, from, to) => {
    for (const [container, ...flags] of [['box'], ['user', '-L', '-a']]) {
      both((program) => {
        const script = 'rm -rf /t && mkdir -p /t/there /t/clash && cd /t && echo old > there/old && echo x > clash/dir && ln -s there to-there && ln -s there/old to-old && ln -s /t/there/new to-new';
        lab.ok('exec', '-u', '0', container ?? '', 'sh', '-c', script);
        const outcome = at(join(lab.folder, 'seed'), [program, 'cp', ...flags, from, `${container}:${to}`]);
        return { outcome, tree: lab.ok('exec', '-u', '0', '-w', '/t', container ?? '', 'sh', '-c', list) };
      });
    }
  });

  it.each([
    [['box:/seed', 'box:/t']], [['/a', '/b']], [['', 'box:/t']], [['box:/t', '']], [['a']], [['-', 'box:/seed/file']], [['box:/seed/file', '/dev/null']], [['box:/seed/file', '/missing/deep/name']],
  ])('refuses %j as docker does', (args) => {
    const [theirs, ours] = [lab.docker('cp', ...args), lab.run([MINKE, 'cp', ...args])];
    const words = ({ code, stderr }: Outcome) => ({ code, said: stderr.split('\n')[0]?.replace(/^(?:docker|minke): /, '').replaceAll('minke cp', 'docker cp').replace(/^"(?:docker|minke) cp" /, 'cp ').replace(/^'docker cp' /, 'cp ') });
    expect(words(ours)).toEqual(words(theirs));
  });

  it('streams archives out and in', () => {
    for (const path of ['/seed', '/seed/dir/.', '/seed/file', '/seed/link']) {
      const names = (program: string) => lab.run(['sh', '-c', `${program} cp box:${path} - | tar tv`]).stdout;
      expect(names(MINKE)).toBe(names('docker'));
      expect(names(MINKE)).not.toBe('');
    }
    lab.ok('exec', 'box', 'mkdir', '-p', '/in');
    expect(lab.run([MINKE, 'cp', '-', 'box:/in'], tarOf([tarFile('hello', 'from a stream\n')])).code).toBe(0);
    expect(lab.ok('exec', 'box', 'cat', '/in/hello')).toBe('from a stream');
  });

  it('names what it exports as docker does: relative, without the root', () => {
    const names = lab.run(['sh', '-c', `${MINKE} export box | tar t`]).stdout.split('\n');
    expect(names).toEqual(expect.arrayContaining(['bin/', 'bin/busybox', 'seed/dir/sub/deep']));
    expect(names.filter((name) => name.startsWith('.') || name.startsWith('/'))).toEqual([]);
  });

  it('has a root of its own: the root of a running container comes without the kernel\'s files', () => {
    mkdirSync(work, { recursive: true });
    const { code, stderr } = lab.run([MINKE, 'cp', 'box:/', `${work}/root`]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(readFileSync(`${work}/root/seed/file`, 'utf8')).toBe('a file\n');
    expect(lab.run(['ls', '-A', `${work}/root/proc`]).stdout).toBe('');
  });

  it('writes nothing outside of the target, whatever links are there or come', () => {
    const outside = join(lab.folder, 'outside');
    rmSync(work, { recursive: true, force: true });
    mkdirSync(join(work, 'target/dir'), { recursive: true });
    mkdirSync(outside, { recursive: true });
    symlinkSync(outside, join(work, 'target/dir/sub'));
    const { stderr, code } = at(work, [MINKE, 'cp', 'box:/seed/dir', 'target']);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('cannot overwrite non-directory') as string });
    expect(existsSync(join(outside, 'deep'))).toBe(false);
  });

  it('tells how much it copied where asked to, and shows it while it does on a terminal', () => {
    mkdirSync(work, { recursive: true });
    const said = (program: string) => lab.run([program, 'cp', '--quiet=false', 'box:/seed/dir', `${work}/counted`]).stderr.replace(/^.*\r/, '');
    expect(said(MINKE)).toMatch(/^Successfully copied 7\d(?:\.\d)?kB to .*\/counted\n$/);
    const shown = lab.run(['script', '-qec', `${MINKE} cp box:/seed/dir/sub/deep ${work}/shown`, '/dev/null']).stdout;
    expect(shown).toContain('Copying from container - ');
    expect(shown).toContain('Successfully copied');
    expect(lab.run(['script', '-qec', `${MINKE} cp -q box:/seed/file ${work}/shown`, '/dev/null']).stdout).toBe('');
  });
});
