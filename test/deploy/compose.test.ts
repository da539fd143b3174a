import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { contextTag, deploymentStamp, emitYaml, findCompose, imageName, readContext, readDeployment, staleServices, unusedImages } from '../../src/deploy/index.ts';
import { readYaml } from '../../src/engine/compose/yaml/index.ts';

let folder: string;
const put = (files: Record<string, string>): void => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
};
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-deploy-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const deployment = (text: string) => {
  put({ 'compose.yaml': text });
  return readDeployment(join(folder, 'compose.yaml'));
};

async function members(build: Parameters<typeof readContext>[0]): Promise<string[]> {
  const { archive } = await readContext(build);
  const names: string[] = [];
  let skip = 0;
  for await (const part of archive()) {
    const bytes = Buffer.from(part);
    if (skip > 0) skip -= 1;
    else if (bytes.length === 512 && bytes.toString('latin1', 257, 262) === 'ustar') {
      names.push(bytes.toString('utf8', 0, 100).replace(/\0.*$/s, ''));
      skip = Number.parseInt(bytes.toString('latin1', 124, 135), 8) > 0 ? 2 : 0;
    }
  }
  return names;
}

describe('what a compose file becomes', () => {
  test('services get what was built for them, those that share the image too; all else stays, variables as well', () => {
    const { builds, services, compose, warnings } = deployment(`
x-base: &base { restart: always, environment: ["A=\${A:-1}"] }
services:
  web: { <<: *base, build: ./web, image: "team/web:1", ports: ["80:8080"] }
  worker: { <<: *base, image: team/web:1, command: [work, "a: b", "\\t"] }
  db: { image: "postgres:16", healthcheck: { test: [CMD, ready], interval: 5s }, mem_limit: 0x100000 }
  tool: { build: ., profiles: [tools] }
volumes: { rows: }
`);
    expect(services).toEqual(['db', 'web', 'worker']);
    expect(builds).toMatchObject([{ service: 'web', context: join(folder, 'web'), dockerfile: 'Dockerfile' }]);
    expect(warnings.filter((line) => !line.includes('left out'))).toEqual([]);
    const text = compose(new Map([['web', 'osbuild-deploy/web:1']]));
    expect(parse(text)).toMatchObject({
      services: {
        web: { image: 'osbuild-deploy/web:1', pull_policy: 'never', restart: 'always', environment: ['A=${A:-1}'], ports: ['80:8080'] },
        worker: { image: 'osbuild-deploy/web:1', pull_policy: 'never', command: ['work', 'a: b', '\t'] },
        db: { image: 'postgres:16', healthcheck: { test: ['CMD', 'ready'], interval: '5s' }, mem_limit: 0x100000 },
      },
      volumes: { rows: null },
    });
    expect(parse(text)).not.toHaveProperty('services.web.build');
    expect(parse(text)).not.toHaveProperty('services.db.pull_policy');
  });

  test('a document means the same when it is written again', () => {
    for (const text of ['a: [1, {b: "x\\u00e9\\n", c: []}, [2, [3]], {}]\n"k: e\\"y": ~\n', 'a: |\n  two\n  lines\nb: &x {c: 1.50}\nd: {<<: *x, e: yes}\nf: 0o17\n', '- a\n- - b\n  - {c: d}\n', 'x: "- # : \\\\"\n']) {
      const strip = (key: string, value: unknown) => (value instanceof Map ? [...value] : key === 'line' ? undefined : value);
      expect(JSON.stringify(readYaml(emitYaml(readYaml(text))), strip)).toBe(JSON.stringify(readYaml(text), strip));
    }
  });

  test('everything about a build', () => {
    put({ '.env': 'V=7\n' });
    expect(deployment('services: {a: {platform: linux/arm64, build: {context: ./x, dockerfile: ../D, target: t, network: host, args: {ONE: "$V", V: }, labels: [l=1], no_cache: true, pull: true}}}\n').builds).toEqual([
      { service: 'a', context: join(folder, 'x'), dockerfile: '../D', inline: null, args: { ONE: '7', V: '7' }, labels: { l: '1' }, target: 't', network: 'host', platform: 'linux/arm64', noCache: true, pull: true },
    ]);
  });

  test('all that is wrong is told, with its line, and that an image is missing only where nothing is built', () => {
    expect(() => deployment('services:\n  a:\n    build: .\n    imag: x\n  b:\n    restart: always\n  c:\n    build: {contxt: .}\n  d:\n    build: https://example/x.git\n')).toThrow(
      expect.objectContaining({ code: 'OSB_CONFIG_INVALID', message: expect.stringMatching(/^(?=.*line 4: services.a.imag: there is no such key)(?=.*services.b: names no image)(?=.*services.c.build.contxt: osbuild deploy has no such key)(?=.*a context is a folder here)(?!.*services.a.build)/s) }),
    );
    expect(() => deployment('services: [\n')).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID' }));
    expect(() => deployment('services: {a: {image: x, env_file: ../outside.env}}\n')).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID' }));
  });

  test('a folder without one, and the names that there are', () => {
    expect(() => findCompose(folder)).toThrow(expect.objectContaining({ code: 'OSB_USAGE' }));
    put({ 'docker-compose.yml': 'services: {}\n' });
    expect(findCompose(folder)).toBe(join(folder, 'docker-compose.yml'));
  });
});

describe('contexts', () => {
  const [build] = [{ service: 'a', context: '', dockerfile: 'Dockerfile', inline: null as string | null, args: {}, labels: {}, target: '', network: '', platform: '', noCache: false, pull: false }];
  const of = (own: Partial<typeof build> = {}) => ({ ...build, context: join(folder, 'c'), ...own });

  test('hold what .dockerignore leaves, and the Dockerfile whatever it says', async () => {
    put({ 'c/Dockerfile': 'FROM x\n', 'c/.dockerignore': '*\n!src\nsrc/*.o\n', 'c/src/a.c': 'a', 'c/src/a.o': 'o', 'c/notes': 'n' });
    expect(await members(of())).toEqual(['Dockerfile', 'src/', 'src/a.c']);
    put({ 'D': 'FROM y\n' });
    expect(await members(of({ dockerfile: '../D' }))).toEqual(['src/', 'src/a.c', '.osbuild-deploy.dockerfile']);
    expect(await members(of({ inline: 'FROM z\n' }))).toEqual(['src/', 'src/a.c', '.osbuild-deploy.dockerfile']);
  });

  test('have another digest when a file that is sent, a mode, an argument is another one; not for times, nor for what is ignored', async () => {
    put({ 'c/Dockerfile': 'FROM x\n', 'c/.dockerignore': 'notes\n', 'c/a': 'a', 'c/notes': 'n' });
    const digest = async (own = {}) => (await readContext(of(own))).digest;
    const first = await digest();
    put({ 'c/a': 'a', 'c/notes': 'other' });
    expect(await digest()).toBe(first);
    expect(await digest({ args: { A: '1' } })).not.toBe(first);
    put({ 'c/a': 'b' });
    const second = await digest();
    expect(second).not.toBe(first);
    symlinkSync('a', join(folder, 'c/link'));
    expect(await digest()).not.toBe(second);
  });

  test('that are not there, or have no Dockerfile, are told before anything is sent', async () => {
    await expect(readContext(of())).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('there is no folder') });
    put({ 'c/x': '' });
    await expect(readContext(of())).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('there is no Dockerfile') });
  });

  test('a change is seen without reading files', () => {
    put({ 'c/Dockerfile': 'FROM x\n', 'c/a': '1', 'conf': 'x' });
    const it = deployment('services: {a: {build: ./c, volumes: ["./conf:/conf:ro"]}}\n');
    const seen = deploymentStamp(it.file, it);
    expect(deploymentStamp(it.file, it)).toBe(seen);
    put({ 'c/new': '' });
    const second = deploymentStamp(it.file, it);
    expect(second).not.toBe(seen);
    put({ conf: 'another' });
    expect(deploymentStamp(it.file, it)).not.toBe(second);
  });
});

test('names of images are what registries take, and differ where services do', () => {
  const names = ['web', 'Web', 'web_1', 'web.1', '_', 'a--b'].map((service) => contextTag(service, 'd'));
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^osbuild-deploy\/[a-z0-9]+(?:-[a-z0-9]+)*:context-d$/);
  expect(imageName('web', `sha256:${'ab'.repeat(32)}`)).toBe(`osbuild-deploy/web:${'ab'.repeat(12)}`);
  expect(unusedImages(['osbuild-deploy/web:1', 'osbuild-deploy/web:2', 'other:1'], new Set(['osbuild-deploy/web:2']))).toEqual(['osbuild-deploy/web:1']);
});

test('a service whose mounted file changed is restarted, unless it was made anew anyway', () => {
  const service = (name: string, id: string) => ({ name, containers: [{ id }] }) as never;
  const binds = new Map([['a', ['conf']], ['b', ['conf']], ['c', ['site']]]);
  const before = { services: [service('a', '1'), service('b', '2'), service('c', '3')] };
  expect(staleServices({ binds }, ['conf', 'site/index.html'], before, { services: [service('a', '1'), service('b', '9'), service('c', '3')] })).toEqual(['a']);
});
