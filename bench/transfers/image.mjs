// node bench/transfers/image.mjs FOLDER [MEGABYTES]: an image of three gzip'd layers in FOLDER, as a registry has it: the first files of this machine's /usr.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, megabytes = '379'] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: image.mjs FOLDER [MEGABYTES]');
const LAYERS = 3;
const wantedBytes = Number(megabytes) * 1e6;
mkdirSync(join(folder, 'blobs'), { recursive: true });

function* walk(path) {
  for (const name of readdirSync(path).toSorted()) {
    const below = join(path, name);
    const stat = lstatSync(below);
    yield { path: below, sizeBytes: stat.isFile() ? stat.size : 0 };
    if (stat.isDirectory()) yield* walk(below);
  }
}

const lists = Array.from({ length: LAYERS }, () => []);
let takenBytes = 0;
let files = 0;
for (const { path, sizeBytes } of walk('/usr')) {
  if (takenBytes + sizeBytes > wantedBytes) break;
  lists[Math.min(LAYERS - 1, Math.floor((takenBytes / wantedBytes) * LAYERS))].push(path.slice(1));
  takenBytes += sizeBytes;
  files += 1;
}

async function digest(path) {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part);
  return `sha256:${hash.digest('hex')}`;
}

const layers = [];
const diffIds = [];
for (const [index, list] of lists.entries()) {
  const tar = join(folder, 'layer.tar');
  writeFileSync(join(folder, 'list'), list.join('\0'));
  const made = spawnSync('tar', ['-C', '/', '--sort=name', '--no-recursion', '--null', '-T', join(folder, 'list'), '-cf', tar]);
  if (made.status !== 0) throw new Error(`layer ${index}: ${made.stderr}`);
  diffIds.push(await digest(tar));
  spawnSync('gzip', ['-nf', tar]);
  const blob = await digest(`${tar}.gz`);
  layers.push({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: blob, size: statSync(`${tar}.gz`).size });
  renameSync(`${tar}.gz`, join(folder, 'blobs', blob));
}
const put = (mediaType, document) => {
  const text = JSON.stringify(document);
  const name = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  writeFileSync(join(folder, 'blobs', name), text);
  return { mediaType, digest: name, size: Buffer.byteLength(text) };
};
const config = put('application/vnd.oci.image.config.v1+json', {
  architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', os: 'linux', created: '2024-01-01T00:00:00Z', config: { Cmd: ['true'] },
  rootfs: { type: 'layers', diff_ids: diffIds }, history: diffIds.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'bench' })),
});
const manifest = put('application/vnd.oci.image.manifest.v1+json', { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers });
writeFileSync(join(folder, 'image.json'), JSON.stringify({ manifest, files, fileBytes: takenBytes, blobBytes: layers.reduce((sum, { size }) => sum + size, 0) }));
