import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';

import type { Project } from '../engine/compose/project.ts';
import { ComposeError, readProject } from '../engine/compose/read-project.ts';
import { OsbuildError, type SourceFile } from '../model/index.ts';

export interface Applications {
  name: string;
  /** The compose file's name in its folder. */
  compose: string;
  folder: string;
  /** The compose file and what it refers to below its folder: all that goes onto the device. */
  files: SourceFile[];
  /** Images as the file names them, with the services that use them. */
  images: Array<{ reference: string; platform: string; services: string[] }>;
  /** Services that run, in the order of their names. */
  services: string[];
  project: Project;
  warnings: readonly string[];
}

/** Reads a compose file as the device reads it. @param rewrite what the device gets of its text @throws OSB_CONFIG_INVALID with everything that is wrong with it */
export function readApplications(file: string, rewrite: (text: string) => string = (text) => text): Applications {
  const folder = dirname(file);
  const used = new Set<string>([file]);
  const text = (path: string): string | undefined => {
    try {
      const content = readFileSync(path, 'utf8');
      used.add(path);
      return content;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  };
  const content = text(file);
  if (content === undefined) throw new OsbuildError('OSB_CONFIG_INVALID', `there is no compose file ${file}`, { hint: '--preload, or preload.compose in build.config.yaml, names it' });
  const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
  const hashFile = (path: string): string | undefined => {
    const found = text(path);
    return found === undefined ? undefined : sha256(found);
  };
  const { project, warnings } = read(rewrite(content), { file, folder, contents: '/contents', readText: text, hashFile, hash: sha256 });
  for (const service of project.services) {
    const sources = bindSources(service);
    for (const source of sources) if (inside(folder, source) && !Object.hasOwn(project.contents, source)) addTree(source, used);
  }
  const outside = [...used].filter((path) => !inside(folder, path));
  if (outside.length > 0) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `${basename(file)} refers to ${outside.join(', ')}, which the device will not have`, { hint: `put it below ${folder}: what the file names there goes onto the device` });
  }
  const files = [...used].toSorted().map((path): SourceFile => {
    const stat = lstatSync(path);
    const place = relative(folder, path).split(sep).join('/');
    if (stat.isSymbolicLink()) return { path: place, digest: sha256(readlinkSync(path)), type: 'link' };
    return { path: place, digest: sha256(readFileSync(path)), type: (stat.mode & 0o100) === 0 ? 'file' : 'executable' };
  });
  const images = new Map<string, { reference: string; platform: string; services: string[] }>();
  for (const { name, image, platform } of project.services) {
    const key = `${image} ${platform}`;
    const known = images.get(key) ?? { reference: image, platform, services: [] };
    known.services.push(name);
    images.set(key, known);
  }
  return { name: project.name, compose: basename(file), folder, files, images: [...images.values()].toSorted((a, b) => (a.reference < b.reference ? -1 : 1)), services: project.services.map(({ name }) => name), project, warnings };
}

/** What of the host a service has mounted. */
export function bindSources({ draft }: Project['services'][number]): string[] {
  const { Binds = [], Mounts = [] } = draft.host as { Binds?: string[]; Mounts?: Array<{ Type: string; Source?: string }> };
  return [...Binds.map((bind) => bind.split(':')[0] ?? ''), ...Mounts.flatMap(({ Type, Source }) => (Type === 'bind' && Source !== undefined ? [Source] : []))];
}

function read(...args: Parameters<typeof readProject>): ReturnType<typeof readProject> {
  try {
    return readProject(...args);
  } catch (error) {
    if (!(error instanceof ComposeError)) throw error;
    throw new OsbuildError('OSB_CONFIG_INVALID', error.message, { hint: 'docs/applications.md tells what a device takes of a compose file', cause: error });
  }
}

const inside = (folder: string, path: string): boolean => path.startsWith(`${folder}${sep}`);

/** A file, or everything below a folder; what is not there is made by the device. */
function addTree(path: string, into: Set<string>): void {
  let stat;
  try {
    stat = lstatSync(path);
  } catch {
    return;
  }
  if (stat.isDirectory()) for (const name of readdirSync(path)) addTree(join(path, name), into);
  else if (stat.isFile() || stat.isSymbolicLink()) into.add(path);
}
