import { systemErrorCode } from '../error.ts';
import { findComposeFile, MAX_FILE_BYTES, type KeeperFiles, type Places } from './places.ts';
import { canonical, type Project } from './project.ts';
import { ComposeError, readProject } from './read-project.ts';
import type { Surroundings } from './surroundings.ts';

export interface SourcePorts {
  readonly files: KeeperFiles;
  hash(text: string): string;
}

export interface Source {
  /** What is to be there; undefined while there has never been a file that could be read. */
  readonly project: Project | undefined;
  readonly file: string | undefined;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** Looks at the files; `again`: although they seem the same. Whether the project is another one now. */
  look(again: boolean): Promise<boolean>;
  /** Nothing is to be there any more. */
  forget(): Promise<void>;
  /** Removes contents that no compose file has any more. */
  tidy(): void;
}

/** The surroundings of a compose file on this system; `used` takes the paths that it refers to. */
export function fileSurroundings({ files, hash }: SourcePorts, file: string, state: string, used: Set<string>): Surroundings {
  const text = (path: string): string | undefined => {
    used.add(path);
    try {
      return files.readText(path, MAX_FILE_BYTES);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  };
  return { file, folder: file.slice(0, file.lastIndexOf('/')), contents: `${state}/contents`, readText: text, hash, hashFile: (path) => {
    const content = text(path);
    return content === undefined ? undefined : hash(content);
  } };
}

/** The compose file of a device, and the last good one. */
export function openSource(ports: SourcePorts, places: Places): Source {
  const { files } = ports;
  const good = `${places.state}/last-good.json`;
  let project = readGood();
  let file: string | undefined;
  let problems: readonly string[] = [];
  let warnings: readonly string[] = [];
  let used = new Set<string>();
  let seen: string | undefined;

  function readGood(): Project | undefined {
    try {
      const value = JSON.parse(files.readText(good)) as Partial<Project> | null;
      return value?.format === 1 ? (value as Project) : undefined;
    } catch {
      // None yet, or one that cannot be used: the file is read anyway.
      return undefined;
    }
  }

  function signature(): string {
    return [file ?? '', ...used].map((path) => {
      try {
        const { mtimeSeconds, mtimeNanoseconds, sizeBytes, inode } = files.stat(path);
        return `${path} ${mtimeSeconds}.${mtimeNanoseconds} ${sizeBytes} ${inode}`;
      } catch {
        return path;
      }
    }).join('\n');
  }

  async function keep(next: Project): Promise<boolean> {
    const same = project !== undefined && canonical(project) === canonical(next);
    project = next;
    files.mkdirs(places.state, 0o700);
    if (Object.keys(next.contents).length > 0) files.mkdirs(`${places.state}/contents`, 0o700);
    for (const [path, content] of Object.entries(next.contents)) if (!files.exists(path)) await files.replaceFile(path, content, 0o444);
    // It holds what the environment of containers does.
    if (!same) await files.replaceFile(good, `${JSON.stringify(next)}\n`, 0o600);
    return !same;
  }

  return {
    get project() { return project; },
    get file() { return file; },
    get problems() { return problems; },
    get warnings() { return warnings; },
    async look(again) {
      const found = findComposeFile(files, places);
      const moved = found !== file;
      file = found;
      if (!moved && !again && signature() === seen) return false;
      used = new Set();
      [problems, warnings] = [[], []];
      try {
        if (found === undefined) {
          if (project !== undefined && project.services.length > 0) problems = [`${project.file} is gone: what it said last stays in force; \`minke os applications remove\` ends that`];
          return false;
        }
        const read = readProject(files.readText(found, MAX_FILE_BYTES), fileSurroundings(ports, found, places.state, used));
        ({ warnings } = read);
        return await keep(read.project);
      } catch (error) {
        if (!(error instanceof ComposeError) && systemErrorCode(error) === undefined) throw error;
        problems = error instanceof ComposeError ? error.problems.map((problem) => `${found}: ${problem}`) : [`${found}: ${error instanceof Error ? error.message : ''}`];
        return false;
      } finally {
        seen = signature();
      }
    },
    async forget() {
      if (project !== undefined) await keep({ ...project, services: [], networks: [], volumes: [], contents: {} });
      problems = [];
    },
    tidy() {
      const folder = `${places.state}/contents`;
      if (!files.exists(folder)) return;
      for (const { name } of files.readdir(folder)) if (!Object.hasOwn(project?.contents ?? {}, `${folder}/${name}`)) files.unlink(`${folder}/${name}`);
    },
  };
}
