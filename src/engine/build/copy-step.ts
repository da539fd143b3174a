import { peekArchive } from './archive-kind.ts';
import { sha256 } from 'host:crypto';
import { userOf, stageUpper, withFiles, type ContainerContext } from '../containers/index.ts';
import { EngineError, messageOf } from '../error.ts';
import { extractInto, type StagedLayer } from '../images/index.ts';
import type { Root } from '../ports/index.ts';
import { joinPath } from './configure.ts';
import { copyTree, kindAt, makeFolders, parentOf, type CopyLook } from './copy-tree.ts';
import { chooseFiles, digestTree, type Chosen, type FileSource, type Pace } from './file-tree.ts';
import { createIgnore } from './ignore.ts';
import { stateBase, type StageState } from './stage-state.ts';
import type { Workshop } from './workshop.ts';

/** What a COPY or ADD is to do, with its variables replaced. */
export interface CopyPlan {
  keyword: 'COPY' | 'ADD';
  /** A source with the words that choose from it. */
  sources: { from: FileSource; words: string[]; unpack: boolean }[];
  documents: { name: string; content: string }[];
  destination: string;
  /** Owners as at the source: what comes from another stage. */
  keepOwners: boolean;
  chown: string;
  chmod: string;
  parents: boolean;
  exclude: string[];
}

interface ChosenFile extends Chosen {
  from: FileSource;
  unpack: boolean;
}

export interface PreparedCopy {
  /** 'file:…', 'dir:…' or 'multi:…', as the history has it. */
  digest: string;
  chosen: ChosenFile[];
}

/** Finds the files and hashes them. Throws 'not-found' for sources that are not there. */
export async function prepareCopy(context: ContainerContext, plan: CopyPlan, pace: Pace): Promise<PreparedCopy> {
  const chosen: ChosenFile[] = [];
  for (const { from, words, unpack } of plan.sources) {
    for (const word of words) {
      const found = chooseFiles(from, word);
      if (found.length === 0) throw new EngineError('not-found', 'SOURCE_MISSING', `${plan.keyword} failed: file not found in build context or excluded by .dockerignore: stat ${word}: file does not exist`);
      chosen.push(...found.map((file) => ({ ...file, from, unpack })));
    }
  }
  const many = chosen.length + plan.documents.length > 1;
  if (many && !isFolder(plan.destination)) throw new EngineError('invalid', 'DESTINATION', `When using ${plan.keyword} with more than one source file, the destination must be a directory and end with a /`);
  const rules = plan.exclude.length === 0 ? undefined : createIgnore(plan.exclude);
  const digests: string[] = [];
  for (const { from, named, path, stat } of chosen) {
    const hex = from.identity !== undefined ? sha256(from.identity) : await digestTree(context.system.files, from.root, path, rules, plan.keepOwners, pace);
    digests.push(chosen.length === 1 && stat.type === 'directory' ? hex : sha256(`${named.split('/').at(-1) ?? ''} ${hex}`));
  }
  for (const { name, content } of plan.documents) digests.push(sha256(`${name} ${content}`));
  const kind = digests.length > 1 ? 'multi' : chosen[0]?.stat.type === 'directory' ? 'dir' : 'file';
  return { chosen, digest: `${kind}:${digests.length === 1 ? (digests[0] ?? '') : sha256(digests.join(' '))}` };
}

/** Copies into a container on the stage, and gives what that changed. */
export async function runCopy(context: ContainerContext, workshop: Workshop, state: StageState, plan: CopyPlan, { chosen }: PreparedCopy, pace: Pace): Promise<StagedLayer> {
  // Without volumes: what is copied to their places is part of the image.
  const base = stateBase(state, { Volumes: null, Entrypoint: null, Cmd: null, Healthcheck: null });
  const container = await workshop.make(base, { Cmd: [`#(nop) ${plan.keyword}`], HostConfig: { NetworkMode: 'none' } });
  try {
    await withFiles(context, container, 'bare', async (root) => {
      const look: CopyLook = { owner: plan.chown === '' ? (plan.keepOwners ? undefined : { uid: 0, gid: 0 }) : ownerOf(root, plan.chown), mode: modeOf(plan.chmod) };
      const target = joinPath(state.config.WorkingDir ?? '', plan.destination);
      const intoFolder = isFolder(plan.destination) || kindAt(root, target, true) === 'directory';
      for (const file of chosen) await place(context, root, file, target, intoFolder, plan, look, pace);
      for (const { name, content } of plan.documents) {
        const path = intoFolder ? joinPath(target, name) : target;
        makeFolders(root, parentOf(path), look);
        if (kindAt(root, path) !== undefined) await root.removeTree(path);
        const fd = root.open(path, 'create-new', 0o644);
        context.system.files.write(fd, content);
        context.system.files.close(fd);
        root.lchown(path, look.owner?.uid ?? 0, look.owner?.gid ?? 0);
        root.chmod(path, look.mode ?? 0o644);
      }
    });
    return await stageUpper(context, container);
  } finally {
    await workshop.remove(container);
  }
}

async function place(context: ContainerContext, root: Root, file: ChosenFile, target: string, intoFolder: boolean, plan: CopyPlan, look: CopyLook, pace: Pace): Promise<void> {
  const { files } = context.system;
  const { from, named, path, stat } = file;
  const rules = plan.exclude.length === 0 ? undefined : createIgnore(plan.exclude);
  if (rules?.ignores(named) === true) return;
  const folder = plan.parents ? joinPath(target, stat.type === 'directory' ? named : parentOf(`/${named}`).slice(1)) : target;
  if (stat.type === 'directory') {
    makeFolders(root, folder, look);
    await copyTree(files, from.root, path, root, followed(root, folder), look, rules, pace);
    return;
  }
  if (file.unpack) {
    const archive = await peekArchive(context.system, from.root, path);
    if (archive !== undefined) {
      makeFolders(root, folder, look);
      try {
        await extractInto(files, archive, root, root.resolve(folder), { keepTypes: false, owner: 'of-the-archive' });
      } catch (error) {
        throw new EngineError('invalid', 'ARCHIVE_INVALID', `${plan.keyword} failed: the archive ${named} cannot be unpacked: ${messageOf(error)}`, { cause: error });
      } finally {
        archive.close();
      }
      return;
    }
  }
  const wanted = intoFolder || plan.parents ? joinPath(folder, named.split('/').at(-1) ?? '') : folder;
  makeFolders(root, parentOf(wanted), look);
  await copyTree(files, from.root, path, root, followed(root, wanted), look, undefined, pace);
}

/** Where a link at the destination leads, so that its target is what is written. */
function followed(root: Root, path: string): string {
  return kindAt(root, path) === 'symlink' && kindAt(root, path, true) !== 'symlink' ? root.resolve(path) : path;
}

function isFolder(destination: string): boolean {
  return /(?:^|\/)\.{0,2}$/.test(destination);
}

/** A user alone stands for the group of the same name or number. */
function ownerOf(root: Root, chown: string): { uid: number; gid: number } {
  try {
    const { uid, gid } = userOf(root, chown.includes(':') ? chown : `${chown}:${chown}`, []);
    return { uid, gid };
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'GROUP_UNKNOWN' || chown.includes(':')) throw error;
    const { uid, gid } = userOf(root, chown, []);
    return { uid, gid };
  }
}

export function modeOf(chmod: string): number | undefined {
  if (chmod === '') return undefined;
  if (!/^0?[0-7]{3,4}$/.test(chmod)) throw new EngineError('invalid', 'CHMOD_INVALID', `invalid chmod parameter: '${chmod}'. it should be octal string and between 0 and 07777`);
  return Number.parseInt(chmod, 8);
}
