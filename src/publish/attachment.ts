import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';

import { kernelHeadersEnd } from '../image/index.ts';
import type { Blob, Descriptor, Repository } from '../registry/index.ts';
import { digestOf, manifestType } from './archive.ts';
import { descriptor, enter, fileBlob } from './artifact.ts';
import type { ReleaseImage } from './release.ts';

/** A file that goes with a release: who finds the release in a registry finds it too. */
export interface Attachment {
  /** Its name for people. */
  fileName: string;
  path: string;
}

export interface PublishedAttachment {
  fileName: string;
  artifactType: string;
  /** Of its manifest. */
  digest: string;
  sizeBytes: number;
}

const sbomName = 'sbom.cdx.json';
const headersArtifact = 'application/vnd.minke.kernel-headers.v1';

/** By the end of the file's name: what it is called there. Bills of materials have the type that other programs look for. */
const kinds = [
  { end: kernelHeadersEnd, artifactType: headersArtifact, mediaType: `${headersArtifact}.tar+zstd` },
  { end: sbomName, artifactType: 'application/vnd.cyclonedx+json', mediaType: 'application/vnd.cyclonedx+json' },
];

/** How names of files end that may go with a release. */
export const attachmentEnds: readonly string[] = kinds.map(({ end }) => end);

/** What `osbuild image` wrote beside a release. A bill of materials of another machine or version is left alone. */
export async function besideRelease(file: string, releaseEnd: string, { machine, version }: ReleaseImage): Promise<Attachment[]> {
  if (!file.endsWith(releaseEnd)) return [];
  const found: Attachment[] = [];
  const headers = `${file.slice(0, -releaseEnd.length)}${kernelHeadersEnd}`;
  if ((await stat(headers).catch(() => null))?.isFile() === true) found.push({ fileName: basename(headers), path: headers });
  const sbom = join(dirname(file), sbomName);
  const described = describedBy(await readFile(sbom, 'utf8').catch(() => ''));
  if (described?.machine === machine && described.version === version) found.push({ fileName: sbomName, path: sbom });
  return found;
}

function describedBy(sbom: string): { machine: string | undefined; version: string | undefined } | null {
  try {
    const { metadata } = JSON.parse(sbom) as { metadata?: { component?: { version?: string; properties?: { name?: string; value?: string }[] } } };
    return { version: metadata?.component?.version, machine: metadata?.component?.properties?.find(({ name }) => name === 'osbuild:machine')?.value };
  } catch {
    return null;
  }
}

/** OCI's configuration of artifacts that have none. */
const empty: Blob & { mediaType: string } = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  sizeBytes: 2,
  open: (from) => Readable.from([Buffer.from('{}').subarray(from)]),
};

/**
 * Puts a file into a repository as an artifact that refers to `subject`, and sees to it that it is listed there; nothing is sent that the registry has.
 * @throws OSB_REGISTRY
 */
export async function attach(repository: Repository, { fileName, path }: Attachment, subject: Descriptor, sent: (bytes: number, ofBytes: number) => void): Promise<PublishedAttachment> {
  const kind = kinds.find(({ end }) => fileName.endsWith(end));
  if (kind === undefined) throw new Error(`${fileName} is none of ${attachmentEnds.join(', ')}`);
  const { artifactType, mediaType } = kind;
  const blob = await fileBlob(path);
  const { sizeBytes } = blob;
  for (const one of [empty, blob]) await repository.put(one, (bytes) => sent(bytes, sizeBytes));
  const annotations = { 'org.opencontainers.image.title': fileName };
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType,
    config: descriptor(empty.mediaType, empty),
    layers: [{ ...descriptor(mediaType, blob), annotations }],
    subject: descriptor(subject.mediaType, subject),
    annotations,
  });
  const digest = await enter(repository, digestOf(text), { mediaType: manifestType, text }, subject, { artifactType, annotations });
  return { fileName, artifactType, digest, sizeBytes };
}
