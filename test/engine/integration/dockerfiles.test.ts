// Every instruction in its forms: each file of test/engine/dockerfiles is built, and says in lines of `#>` what has to come of it.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { leftovers } from '../support/lab.ts';
import { tarFile, tarFolder, tarOf, tarSymlink } from '../support/tar-writer.ts';

const corpus = fileURLToPath(new URL('../dockerfiles/', import.meta.url));
const names = readdirSync(corpus).filter((name) => name.endsWith('.Dockerfile')).map((name) => name.replace(/\.Dockerfile$/, '')).toSorted();

/** What a file expects, in the order of its lines. */
type Expectation =
  /** Words for docker build. */
  | { kind: 'build'; words: string[] }
  /** A script in the image, or its own command with these words; and the lines that it prints. */
  | { kind: 'sh' | 'start'; text: string; lines: string[] }
  /** A template of inspect, and the JSON that it gives. */
  | { kind: 'inspect'; text: string; value: unknown }
  | { kind: 'fails'; text: string };

function expectations(text: string): Expectation[] {
  const found: Expectation[] = [];
  for (const [, verb = '', rest = ''] of text.matchAll(/^#> ?(\w+) ?(.*)$/gm)) {
    const last = found.at(-1);
    if (verb === 'build') found.push({ kind: 'build', words: rest.split(' ') });
    else if (verb === 'sh' || verb === 'start') found.push({ kind: verb, text: rest, lines: [] });
    else if (verb === 'inspect') found.push({ kind: 'inspect', text: rest, value: undefined });
    else if (verb === 'fails') found.push({ kind: 'fails', text: rest });
    else if (verb === 'prints' && (last?.kind === 'sh' || last?.kind === 'start')) last.lines.push(rest);
    else if (verb === 'is' && last?.kind === 'inspect') last.value = JSON.parse(rest) as unknown;
    else throw new Error(`"#> ${verb} ${rest}" means nothing here`);
  }
  return found;
}

function writeContext(folder: string): void {
  const files = { 'one.txt': 'one\n', 'two.txt': 'two\n', 'folder/inner.txt': 'inner\n', 'folder/deep/three.txt': 'three\n', 'noise.log': 'n', 'keep.log': 'k', 'skip/me': 's', 'script': '#!/bin/sh\n', '.dockerignore': '*.log\n!keep.log\nskip\n.dockerignore\n' };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  writeFileSync(join(folder, 'bundle.tar.gz'), gzipSync(tarOf([tarFolder('in'), tarFile('in/text', 'text\n'), tarFile('in/tool', 'tool\n', { mode: 0o755 }), tarSymlink('in/link', 'text')])));
}

describeLab('Dockerfiles', (lab) => {
  let context = '';
  beforeAll(() => {
    context = join(lab.folder, 'context');
    mkdirSync(context);
    writeContext(context);
  });

  it.each(names)('%s', (name) => {
    const text = readFileSync(join(corpus, `${name}.Dockerfile`), 'utf8');
    const wanted = expectations(text);
    expect(wanted.length).toBeGreaterThan(0);
    const folder = join(lab.folder, name);
    cpSync(context, folder, { recursive: true });
    // Without the expectations: they would be part of what `COPY .` copies.
    writeFileSync(join(folder, 'Dockerfile'), text.replaceAll(/^#>.*\n/gm, ''));
    const words = wanted.flatMap((one) => (one.kind === 'build' ? one.words : []));
    const { code, stdout, stderr } = lab.run(['env', 'DOCKER_BUILDKIT=0', 'docker', 'build', '-q', '-t', `corpus-${name}`, ...words, folder]);
    const failure = wanted.find(({ kind }) => kind === 'fails');
    if (failure?.kind === 'fails') {
      expect(code).not.toBe(0);
      expect(stderr).toContain(failure.text);
      return;
    }
    expect(code, `${stdout}${stderr}`).toBe(0);
    for (const one of wanted) {
      if (one.kind === 'sh') expect(lab.ok('run', '--rm', '--entrypoint', 'sh', `corpus-${name}`, '-c', one.text).split('\n')).toEqual(one.lines);
      if (one.kind === 'start') expect(lab.ok('run', '--rm', `corpus-${name}`, ...one.text.split(' ').filter(Boolean)).split('\n')).toEqual(one.lines);
      if (one.kind === 'inspect') expect(JSON.parse(lab.ok('image', 'inspect', '-f', template(one.text), `corpus-${name}`))).toEqual(one.value);
    }
  });

  it('leaves nothing behind', () => {
    expect(lab.ok('ps', '-aq')).toBe('');
    expect(leftovers(lab)).toEqual([]);
  });
});

/** `.Config.Cmd` as JSON; `.X | len` as it is. */
const template = (text: string): string => (text.endsWith('| len') ? `{{${text}}}` : `{{json ${text}}}`);
