import { createReadStream, createWriteStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { OsbuildError, type KernelArtifact, type ManifestPackage, type StepContext } from '../../../model/index.ts';
import { addTar, type RootTree } from '../tar/index.ts';
import { takeKernel } from './artifact-layout.ts';
import { modulesFolder } from './layout.ts';

type Context = StepContext<'debian/kernel'>;

/** What a maker's archive may be packed with, by its first bytes. */
type Packing = 'tar' | 'gzip' | 'xz' | 'zstd' | 'deb';

/** As file(1) knows them. */
const magics: readonly [packing: Packing, offset: number, bytes: string][] = [
  ['gzip', 0, '\x1f\x8b'],
  ['xz', 0, '\xfd7zXZ\0'],
  ['zstd', 0, '\x28\xb5\x2f\xfd'],
  ['deb', 0, '!<arch>\ndebian-binary'],
  ['tar', 257, 'ustar'],
];
const headBytes = 512;

/**
 * Unpacks the archive of the input `artifact`: a tree as Debian's kernel packages have it, and what the manifest says of it.
 * @throws OSB_KERNEL_INCOMPLETE
 */
export async function unpackArtifact(context: Context, artifact: KernelArtifact): Promise<{ tree: RootTree; manifest: { packages: ManifestPackage[] } }> {
  const file = context.inputs('artifact').get(artifact.sha256);
  if (file === undefined) throw new Error(`input artifact lacks ${artifact.name}`);
  const { tree, release } = takeKernel(await readArchive(context, file, artifact.name), artifact, { deviceTrees: context.args.deviceTrees.length > 0 });
  if (!tree.has(`${modulesFolder}/${release}/modules.builtin`)) {
    context.notice('warning', 'KERNEL_LISTS_MISSING', `The archive of ${artifact.name} has no modules.builtin: what is built into its kernel counts as missing.`, 'Ask its maker for what `make modules_install` leaves. kernel.missingModules of the machine file goes without what you know to be built in.');
  }
  context.notice('info', 'KERNEL_HEADERS_NONE', `There is no archive of headers beside the image: ${artifact.name} is not a package of Debian's.`, 'Modules for it are compiled against what its maker offers.');
  return { tree, manifest: { packages: [manifestPackage(artifact, (await stat(file)).size)] } };
}

/** The archive as a tree whose data stays in a file. */
async function readArchive(context: Context, file: string, name: string): Promise<RootTree> {
  const packing = await packingOf(file);
  if (packing === null) throw new OsbuildError('OSB_KERNEL_INCOMPLETE', `What stands at the address of ${name} is no archive that can be read.`, { hint: 'It must be a tar archive (plain, gzip, xz or zstd), or a .deb.' });
  const tree: RootTree = new Map();
  try {
    addTar(tree, await unpacked(context, file, packing));
  } catch (cause) {
    context.signal.throwIfAborted();
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') throw cause;
    if (cause instanceof OsbuildError && cause.code !== 'OSB_COMMAND_FAILED') throw cause;
    throw new OsbuildError('OSB_KERNEL_INCOMPLETE', `The archive of ${name} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { hint: 'It is what its SHA-256 says, so it was made so: ask its maker.', cause });
  }
  return tree;
}

/** The plain tar of an archive, in the scratch folder unless it is one already. */
async function unpacked(context: Context, file: string, packing: Packing): Promise<string> {
  const plain = join(context.scratch, 'artifact.tar');
  switch (packing) {
    case 'tar':
      return file;
    case 'gzip':
      await pipeline(createReadStream(file), createGunzip(), createWriteStream(plain), { signal: context.signal });
      break;
    case 'xz':
      await context.tool({ argv: ['xz', '--decompress', '--stdout'], stdin: file, stdout: plain });
      break;
    case 'zstd':
      // Archives made with --long=27 and more want as much memory to be read.
      await context.tool({ argv: ['zstd', '--decompress', '--quiet', '--long=31', '--stdout'], stdin: file, stdout: plain });
      break;
    case 'deb':
      await context.host(['dpkg-deb', '--fsys-tarfile', file], { stdout: plain });
  }
  return plain;
}

async function packingOf(file: string): Promise<Packing | null> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const head = buffer.toString('latin1', 0, bytesRead);
    return magics.find(([, offset, bytes]) => head.startsWith(bytes, offset))?.[0] ?? null;
  } finally {
    await handle.close();
  }
}

/** The archive as the manifest has packages. */
function manifestPackage({ name, version, architecture, license, url, sha256, sourceUrl }: KernelArtifact, sizeBytes: number): ManifestPackage {
  return {
    name,
    version,
    architecture,
    source: name,
    sourceVersion: version,
    section: 'kernel',
    licences: [license],
    homepage: null,
    installedBytes: 0,
    downloadBytes: sizeBytes,
    sha256,
    downloadUrl: url,
    ...(sourceUrl === undefined ? {} : { sourceUrl }),
    files: 0,
  };
}
