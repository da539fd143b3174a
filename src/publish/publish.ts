import { join } from 'node:path';

import { OsbuildError, type Emit } from '../model/index.ts';
import { formatImageName, type Descriptor, type Repository } from '../registry/index.ts';
import { wholeBytes, type ImageArchive } from './archive.ts';
import { enter } from './artifact.ts';
import { attach, type Attachment, type PublishedAttachment } from './attachment.ts';
import { chooseBases, heldRelease, heldReleases } from './bases.ts';
import { deltaAnnotations, deltaArtifact, deltaTag, packDelta } from './delta.ts';
import type { ReleaseImage } from './release.ts';

/** A release that a delta can be made from, however it is got. */
export interface Base extends ReleaseImage {
  /** For people: where it comes from. */
  from: string;
  /** Writes it to an archive. */
  archive(file: string): Promise<string>;
}

/** Makes a delta between two archives, and writes it to a third. */
export interface DeltaMaker {
  make(base: string, target: string, file: string): Promise<void>;
}

export interface PublishOptions {
  archive: ImageArchive;
  release: ReleaseImage;
  repository: Repository;
  tag: string;
  /** Whether the tag may be taken from another release. */
  force: boolean;
  /** How many of the releases before it get a delta, beside those that are named. */
  deltas: number;
  bases: readonly Base[];
  attachments: readonly Attachment[];
  /** Order of versions. */
  compare(a: string, b: string): number;
  /** Makes a base of what the repository holds. */
  held(release: Awaited<ReturnType<typeof heldReleases>>[number]): Base;
  /** Runs an action with what makes deltas; called once, and only where one has to be made. */
  withDeltas<T>(action: (maker: DeltaMaker) => Promise<T>): Promise<T>;
  /** Folder for what is made on the way. */
  work: string;
  emit: Emit;
}

export interface PublishedDelta {
  /** Version and image that it begins with. */
  fromVersion: string;
  base: string;
  tag: string;
  digest: string;
  /** What a device loads of it. */
  sizeBytes: number;
  /** Whether it was there already. */
  found: boolean;
}

export interface PublishedRelease {
  machine: string;
  version: string;
  name: string;
  /** Of the manifest. */
  digest: string;
  imageId: string;
  /** What a device without a delta loads. */
  sizeBytes: number;
  deltas: PublishedDelta[];
  attachments: PublishedAttachment[];
  /** Of blobs, by this run. */
  sentBytes: number;
}

/**
 * Puts a release into a repository: its blobs, its manifest, what goes with it, the deltas to it, and then its tag, so that nobody sees it who would not find the deltas.
 * What is there already is not sent again, so that a run which was cut off is gone on with by the next.
 * @throws OSB_USAGE where the tag holds something else, OSB_REGISTRY
 */
export async function publishRelease(options: PublishOptions): Promise<PublishedRelease> {
  const { archive, release, repository, tag, emit } = options;
  const name = formatImageName({ ...repository.name, tag });
  const present = await repository.manifest(tag);
  const other = present !== null && present.config?.digest !== release.imageId;
  if (other && !options.force) throw await taken(repository, tag, name);
  let sentBytes = 0;
  const count = (bytes: number): void => void (sentBytes += bytes);
  // The same image under another manifest (pushed with other layers' compression) stays as it is.
  const manifest: Descriptor = present !== null && !other ? present : await step(emit, `publish/${release.machine}/image`, `Send ${name}`, (report) => sendImage(options, count, report));
  const attachments: PublishedAttachment[] = [];
  for (const attachment of options.attachments) {
    const { fileName } = attachment;
    attachments.push(await step(emit, `publish/${release.machine}/${fileName}`, `Send ${fileName}`, (report) => {
      let done = 0;
      return attach(repository, attachment, manifest, (bytes, ofBytes) => {
        count(bytes);
        report(Math.min((done += bytes), ofBytes), ofBytes, 'sent');
      });
    }));
  }
  const deltas = await sendDeltas(options, manifest, count);
  if (present?.digest !== manifest.digest) await repository.putManifest(tag, archive.manifest);
  return { machine: release.machine, version: release.version, name, digest: manifest.digest, imageId: release.imageId, sizeBytes: wholeBytes([archive.config, ...archive.layers]), deltas, attachments, sentBytes };
}

async function taken(repository: Repository, tag: string, name: string): Promise<OsbuildError> {
  const held = await heldRelease(repository, tag);
  const what = held === null ? 'an image that is no release' : `release ${held.version} of ${held.machine}${held.mode === '' ? '' : ` (${held.mode})`}`;
  return new OsbuildError('OSB_USAGE', `${name} holds ${what} already, and another image than this one`, { hint: 'another tag, another os.version in build.config.yaml, or --force' });
}

type Report = (done: number, total: number | null, detail?: string) => void;

/** One thing that is done and watched, such as a transfer. */
export async function step<T>(emit: Emit, id: string, title: string, action: (report: Report) => Promise<T>): Promise<T> {
  const begin = performance.now();
  emit({ type: 'task-start', id, title });
  try {
    const result = await action((done, total, detail) => emit({ type: 'task-progress', id, done, total, unit: 'bytes', ...(detail === undefined ? {} : { detail }) }));
    emit({ type: 'task-done', id, title, cached: false, durationMs: Math.round(performance.now() - begin) });
    return result;
  } catch (error) {
    if (error instanceof OsbuildError && error.code !== 'OSB_CANCELLED') emit({ type: 'task-failed', id, title, code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) });
    throw error;
  }
}

async function sendImage({ archive, repository }: PublishOptions, count: (bytes: number) => void, report: Report): Promise<Descriptor> {
  const blobs = [archive.config, ...archive.layers];
  const totalBytes = wholeBytes(blobs);
  let before = 0;
  for (const blob of blobs) {
    let done = 0;
    const sent = (bytes: number): void => {
      count(bytes);
      done += bytes;
      report(Math.min(before + done, totalBytes), totalBytes, 'sent');
    };
    if (!(await repository.put(blob, sent))) report(before + blob.sizeBytes, totalBytes, 'there already');
    before += blob.sizeBytes;
  }
  const { mediaType, text, digest } = archive.manifest;
  await repository.putManifest(digest, { mediaType, text });
  return { mediaType, digest, sizeBytes: Buffer.byteLength(text) };
}

async function sendDeltas(options: PublishOptions, subject: Descriptor, count: (bytes: number) => void): Promise<PublishedDelta[]> {
  const { release, repository, emit } = options;
  const found: PublishedDelta[] = [];
  const missing: Base[] = [];
  for (const base of await allBases(options)) {
    const tag = deltaTag(base.imageId, release.imageId);
    const there = await repository.manifest(tag);
    if (there?.config == null || there.subject !== subject.digest || there.artifactType !== deltaArtifact) missing.push(base);
    else {
      // A run may have been cut off before it was listed.
      await enter(repository, tag, there, subject, { artifactType: deltaArtifact, annotations: deltaAnnotations(base.imageId, release.imageId) });
      found.push({ fromVersion: base.version, base: base.imageId, tag, digest: there.digest, sizeBytes: wholeBytes([there.config, ...there.layers]), found: true });
      emit({ type: 'notice', level: 'info', code: 'DELTA_THERE', message: `the delta from ${base.version} is there already` });
    }
  }
  if (missing.length === 0) return found;
  const made = await options.withDeltas(async (maker) => {
    const deltas: PublishedDelta[] = [];
    for (const base of missing) {
      const delta = await step(emit, `publish/${release.machine}/delta/${base.version}`, `Delta from ${base.version} (${base.from})`, (report) => sendDelta(options, maker, base, subject, count, report));
      if (delta !== null) deltas.push(delta);
    }
    return deltas;
  });
  return [...made, ...found];
}

/** Those that were named, then the last ones that the repository holds; each image once. */
async function allBases(options: PublishOptions): Promise<Base[]> {
  const { release, repository, deltas, bases, compare, held, emit } = options;
  const named = bases.filter((base) => {
    const why = base.machine !== release.machine ? `is for ${base.machine}, and this one for ${release.machine}` : base.imageId === release.imageId ? 'is the one that is published' : null;
    if (why !== null) emit({ type: 'notice', level: 'warning', code: 'BASE_SKIPPED', message: `no delta from ${base.from}: release ${base.version} ${why}` });
    return why === null;
  });
  const last = deltas === 0 ? [] : chooseBases(release, await heldReleases(repository), deltas, compare).map(held);
  return [...new Map([...named, ...last].map((base) => [base.imageId, base])).values()];
}

/** Null for a delta that would be of no use. */
async function sendDelta({ archive, release, repository, work, emit }: PublishOptions, maker: DeltaMaker, base: Base, subject: Descriptor, count: (bytes: number) => void, report: Report): Promise<PublishedDelta | null> {
  const tag = deltaTag(base.imageId, release.imageId);
  const file = join(work, `${tag}.tar`);
  await maker.make(await base.archive(join(work, `${base.imageId.slice(-16)}.tar`)), archive.file, file);
  const delta = await packDelta(file, join(work, `${tag}.gz`), { base: base.imageId, target: release.imageId, subject });
  if (delta.sizeBytes >= wholeBytes([archive.config, ...archive.layers])) {
    emit({ type: 'notice', level: 'warning', code: 'DELTA_USELESS', message: `no delta from ${base.version}: it would be no smaller than the release itself` });
    return null;
  }
  let done = 0;
  for (const blob of delta.blobs) {
    await repository.put(blob, (bytes) => {
      count(bytes);
      report(Math.min((done += bytes), delta.sizeBytes), delta.sizeBytes, 'sent');
    });
  }
  const digest = await enter(repository, tag, delta.manifest, subject, { artifactType: deltaArtifact, annotations: delta.annotations });
  return { fromVersion: base.version, base: base.imageId, tag, digest, sizeBytes: delta.sizeBytes, found: false };
}
