import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { makeDelta, type DeltaSummary } from '../../src/cli/build/image-delta.ts';
import { withPrivateEngine, type PrivateEngine } from '../../src/cli/build/private-engine.ts';
import { imageConfig, ociArchive, oldStyleArchive, sha256 } from '../engine/support/docker-archive.ts';
import { tarFile, tarFolder, tarOf } from '../engine/support/tar-writer.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-delta-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const binary = process.env['OSBUILD_ENGINE_BINARY'];
const lacking = binary === undefined || !existsSync(binary) ? 'needs an engine: OSBUILD_ENGINE_BINARY (a plain `npm test` makes it)' : process.getuid?.() === 0 ? undefined : 'needs root: unpacks images';

function noise(sizeBytes: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
}

/** Our layers have the target's configuration in them, which balenaEngine puts elsewhere; and gzip adds to what it cannot pack. */
const BESIDE_BYTES = 600;

const withEngine = <T>(action: (engine: PrivateEngine) => Promise<T>): Promise<T> =>
  withPrivateEngine({ binary: binary ?? '', folder, env: { PATH: process.env['PATH'] ?? '' }, signal: AbortSignal.timeout(240_000) }, action);

interface Measured {
  /** Of the deltas alone, and of the layer as it is pushed. */
  deltaBytes: number;
  pushedBytes: number;
}

/** Members of an archive without links: names and contents. */
function members(tar: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const name = tar.subarray(at, at + 100).toString().replace(/\0.*$/s, '');
    const size = Number.parseInt(tar.subarray(at + 124, at + 135).toString(), 8);
    found.set(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}

function measure(path: string): Measured {
  const archive = members(readFileSync(path));
  const [{ Layers }] = JSON.parse(archive.get('manifest.json')?.toString() ?? '[]') as [{ Layers: string[] }];
  const layer = archive.get(Layers[0] ?? '') ?? Buffer.alloc(0);
  let deltaBytes = 0;
  for (const [name, content] of members(layer)) if (name.endsWith('.delta')) deltaBytes += content.length;
  return { deltaBytes, pushedBytes: gzipSync(layer, { level: 9 }).length };
}

describe('deltas made on the build host', { timeout: 300_000 }, () => {
  test('turn the base into the target elsewhere, from archives of either kind', async (context) => {
    if (lacking !== undefined) return context.skip(lacking);
    const layers = (version: string): Buffer[] => [tarOf([tarFolder('bin'), tarFile('bin/tool', noise(300_000, 'tool'), { mode: 0o755 })]), tarOf([tarFile('version', version.repeat(1000), { uid: 1000 })])];
    const archived = (version: string): { tar: Buffer }[] => layers(version).map((tar) => ({ tar }));
    writeFileSync(join(folder, 'base'), ociArchive('example/app:1', archived('1')));
    writeFileSync(join(folder, 'target'), oldStyleArchive('example/app:2', archived('2')));
    const summary = await withEngine((engine) => makeDelta(engine, join(folder, 'base'), join(folder, 'target'), undefined, join(folder, 'delta')));
    const target = `sha256:${sha256(imageConfig(layers('2')))}`;
    expect(summary).toMatchObject<Partial<DeltaSummary>>({ name: 'example/app:2', target });
    await withEngine(async (engine) => {
      await expect(engine.command('load', '-i', join(folder, 'delta'))).rejects.toThrow('this is a delta to image');
      await engine.command('load', '-i', join(folder, 'base'));
      expect(await engine.command('load', '-i', join(folder, 'delta'))).toBe('Loaded image: example/app:2');
      expect(await engine.command('inspect', '-f', '{{.Id}}', 'example/app:2')).toBe(target);
    });
    expect(readdirSync(folder).toSorted()).toEqual(['base', 'delta', 'target']);
  });

  test('are no larger than balenaEngine allows its own in the same cases', async (context) => {
    if (lacking !== undefined) return context.skip(lacking);
    const base = tarOf([tarFile('base/one', noise(2_700_000, 'one')), tarFile('base/two', noise(1_000_000, 'two'))]);
    const app = (middle: Buffer): Buffer => tarOf([tarFile('app/data', Buffer.concat([noise(80_000, 'a'), middle, noise(80_000, 'b')]))]);
    const extra = tarOf([tarFile('extra', noise(256, 'extra'))]);
    const mebibyte = (seed: string): Buffer => tarOf([tarFile('file', noise(1_048_576, seed))]);
    const cases: [name: string, before: Buffer[], after: Buffer[], limits: number][] = [
      ['a file of 256 bytes more', [base], [base, extra], 1045],
      ['the same', [base, extra], [base, extra], 0],
      ['layers in another order', [base, extra], [extra, base], 381],
      ['1,000 bytes of a layer changed', [base, app(noise(1000, 'x'))], [base, app(noise(1000, 'y'))], 1567],
      ['a file of 1 MiB replaced', [mebibyte('x')], [mebibyte('y')], 1_049_132],
    ];
    await withEngine(async (engine) => {
      for (const [name, before, after, limitBytes] of cases) {
        for (const [tag, tars] of [['1', before], ['2', after]] as const) writeFileSync(join(folder, tag), oldStyleArchive(`app:${tag}`, tars.map((tar) => ({ tar })), imageConfig(tars, { Cmd: [tag] })));
        await makeDelta(engine, join(folder, '1'), join(folder, '2'), 'delta:1', join(folder, 'delta'));
        const { deltaBytes, pushedBytes } = measure(join(folder, 'delta'));
        expect(deltaBytes, `${name}: delta`).toBeLessThanOrEqual(limitBytes);
        expect(pushedBytes, `${name}: as pushed`).toBeLessThanOrEqual(limitBytes + BESIDE_BYTES);
      }
    });
  });

  test('a file that is not there is named', async () => {
    const { exitCode, stderr } = await execa(join(process.cwd(), 'osbuild'), ['delta', 'nowhere.tar', 'target.tar', '-o', 'delta.tar'], { cwd: folder, reject: false, env: { OSBUILD_CACHE_DIR: join(folder, 'cache') } });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('nowhere.tar');
  });
});
