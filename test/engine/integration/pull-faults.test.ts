import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { imageConfig, sha256 } from '../support/docker-archive.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import type { Outcome } from '../support/lab.ts';
import { serveFaultyRegistry } from '../support/lab-registry.ts';
import type { SeenRequest, TestRegistry } from '../support/registry.ts';
import { readStore, storeFaults } from '../support/store-state.ts';
import { tarFile, tarFolder, tarOf } from '../support/tar-writer.ts';

const noise = (sizeBytes: number, seed: string): Buffer => createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
const GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';

describeLab('a pull over a bad network', (lab) => {
  let registry: TestRegistry & { proxy: FaultProxy };
  let digest = '';
  let count = 0;
  const contents = new Map<string, Record<string, string>>();

  /** An image of one layer of about 600 kB that no other test has; `blob` is what is sent for it. */
  const image = (spoilt: (blob: Buffer) => Buffer = (blob) => blob): string => {
    const name = `fault${(count += 1)}`;
    const files = Array.from({ length: 30 }, (_, index) => ({ path: `${name}/${index}`, data: noise(index === 0 ? 400_000 : index * 460, `${name} ${index}`) }));
    const tar = tarOf([tarFolder(name), ...files.map(({ path, data }) => tarFile(path, data))]);
    contents.set(`sha256:${sha256(tar)}`, { [name]: 'folder', ...Object.fromEntries(files.map(({ path, data }) => [path, sha256(data)])) });
    digest = registry.putImage(name, '1', [{ tar, blob: spoilt(gzipSync(tar, { level: 1 })), mediaType: GZIP }]).layerDigests[0] ?? '';
    return `localhost:5000/${name}:1`;
  };
  const pull = (name: string): Promise<Outcome> => lab.dockerAsync('pull', name);
  const isLayer = ({ url }: SeenRequest): boolean => url.endsWith(digest);
  /** How often the layer was asked for, and from where on. */
  const asked = (): (string | undefined)[] => registry.requests.filter(isLayer).map(({ range }) => range);

  const succeeds = async (name: string): Promise<void> => {
    expect(await pull(name)).toMatchObject({ code: 0, stderr: '' });
    expect(Object.keys(readStore(lab.dataRoot).names)).toContain(name);
    expect(storeFaults(lab.dataRoot, contents)).toEqual([]);
  };
  const fails = async (name: string, why: string | RegExp): Promise<void> => {
    const before = readStore(lab.dataRoot);
    const { code, stderr } = await pull(name);
    expect([code, stderr]).toEqual([1, expect.stringMatching(why) as string]);
    expect(readStore(lab.dataRoot)).toEqual(before);
    expect(storeFaults(lab.dataRoot, contents)).toEqual([]);
  };

  beforeAll(async () => {
    registry = await serveFaultyRegistry(lab, 5000, { auth: { kind: 'token', user: 'u', password: 'p', anonymousPull: true } });
  });
  afterEach(() => {
    registry.fault = () => undefined;
    registry.proxy.reset();
    registry.requests.length = 0;
  });
  afterAll(() => registry?.close());

  describe('ends well', () => {
    it('when every connection is cut after 64 KiB', async () => {
      const name = image();
      registry.proxy.fault = () => ({ cutAfterBytes: 65_536 });
      await succeeds(name);
      const starts = asked().map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0));
      expect(starts.length).toBeGreaterThan(8);
      // Each goes on where the one before it ended: nothing is sent twice.
      for (const [index, start] of starts.slice(1).entries()) expect(start).toBeGreaterThan(starts[index] ?? 0);
    });
    it('when the server knows no ranges and every second connection is cut', async () => {
      const name = image();
      registry.fault = (request) => (isLayer(request) ? { ignoreRange: true } : undefined);
      registry.proxy.fault = (connection) => (connection < 2 ? { cutAfterBytes: 300_000 } : undefined);
      await succeeds(name);
      expect(asked().length).toBeGreaterThan(1);
    });
    it('when a byte is damaged on the way, once', async () => {
      const name = image();
      registry.proxy.fault = (connection) => (connection === 0 ? { corruptAt: 300_000 } : undefined);
      await succeeds(name);
      expect(asked()).toEqual([undefined, undefined]);
    });
    it('when nothing comes for two seconds', async () => {
      const name = image();
      registry.proxy.fault = () => ({ stallAt: { byte: 200_000, forMs: 2000 } });
      await succeeds(name);
    });
    it('when it is slow', async () => {
      const name = image();
      registry.proxy.fault = () => ({ bytesPerSecond: 400_000 });
      await succeeds(name);
    });
    it('when the registry fails for a while', async () => {
      const name = image();
      const manifest = [{ status: 503 }];
      const layer = [{ status: 502 }, { status: 500 }];
      registry.fault = (request) => (isLayer(request) ? layer.shift() : request.url.includes('/manifests/') ? manifest.shift() : undefined);
      await succeeds(name);
      expect([manifest, layer]).toEqual([[], []]);
    });
    it('when the token runs out in the middle of a layer', async () => {
      const name = image();
      registry.proxy.fault = (connection) => (connection === 0 ? { cutAfterBytes: 200_000 } : undefined);
      registry.fault = (request) => {
        if (isLayer(request) && request.range !== undefined && asked().filter((range) => range !== undefined).length === 1) registry.expireTokens();
        return undefined;
      };
      await succeeds(name);
      expect(registry.requests.filter(({ url }) => url.startsWith('/token')).length).toBeGreaterThan(1);
      expect(asked().filter((range) => range !== undefined).length).toBeGreaterThan(1);
    });
    it('when a range begins before what was asked for', async () => {
      const name = image();
      registry.proxy.fault = (connection) => (connection === 0 ? { cutAfterBytes: 300_000 } : undefined);
      registry.fault = (request) => (isLayer(request) ? { shiftRange: -1000 } : undefined);
      await succeeds(name);
      expect(asked().length).toBeGreaterThan(1);
    });
  });

  describe('stores nothing', () => {
    it('when a byte is damaged every time', async () => {
      const name = image();
      registry.fault = (request) => (isLayer(request) ? { corruptByte: 300_000 } : undefined);
      await fails(name, /verification failed|damaged/);
      expect(asked()).toHaveLength(3);
    });
    it('when another layer is sent under the digest', async () => {
      const descriptor = registry.putBlob(gzipSync(tarOf([tarFile('wrong', noise(500_000, 'wrong'))])));
      const config = imageConfig([tarOf([tarFile('right', 'right')])]);
      registry.putManifest('forged', '1', {
        schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...registry.putBlob(Buffer.from(config)) }, layers: [{ mediaType: GZIP, ...descriptor }],
      });
      await fails('localhost:5000/forged:1', 'does not have the content that the image names');
    });
    it('when the manifest promises more bytes than there are, or fewer', async () => {
      for (const [tag, more] of [['more', 1], ['fewer', -1]] as const) {
        const tar = tarOf([tarFile('lengths', noise(200_000, tag))]);
        const { digest: layer, size } = registry.putBlob(tar);
        registry.putManifest('lengths', tag, {
          schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...registry.putBlob(Buffer.from(imageConfig([tar]))) },
          layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: size + more }],
        });
        await fails(`localhost:5000/lengths:${tag}`, more > 0 ? /416|Range/i : /more of/);
      }
    });
    it('when the layer’s gzip is cut short', async () => {
      const name = image((blob) => blob.subarray(0, blob.length - 30_000));
      await fails(name, /damaged|cut short/);
    });
    it('when bytes follow the layer’s gzip that are none', async () => {
      const name = image((blob) => Buffer.concat([blob, noise(5000, 'behind')]));
      await fails(name, /damaged|cannot be read/);
    });
    it('when redirects lead in a circle', async () => {
      const name = image();
      registry.fault = (request) => (isLayer(request) ? { redirect: request.url } : undefined);
      await fails(name, 'stopped after 10 redirects');
    });
    it('when a range begins behind what was asked for', async () => {
      const name = image();
      registry.proxy.fault = (connection) => (connection === 0 ? { cutAfterBytes: 300_000 } : undefined);
      registry.fault = (request) => (isLayer(request) ? { shiftRange: 1000 } : undefined);
      await fails(name, 'another range than it was asked for');
    });
    it('when something answers that is no registry', async () => {
      const name = image();
      registry.proxy.prefix = 'SSH-2.0-OpenSSH_9.2\r\n';
      await fails(name, /./);
    });
  });
}, { image: false });
