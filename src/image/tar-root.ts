import { closeSync, openSync, readSync } from 'node:fs';
import { indexTar, type TarEntry } from './tar-index.ts';

/** A root filesystem read straight from its tar, with symbolic links followed inside it. */
export interface TarRoot {
  entries: Map<string, TarEntry>;
  /** Follows links of every path component; null when nothing stands there. */
  find(path: string): TarEntry | null;
  /** Content of a file; throws when it is not there. */
  read(path: string): Buffer;
  close(): void;
}

const maxLinks = 40;

export function openTarRoot(file: string): TarRoot {
  const entries = indexTar(file);
  const fd = openSync(file, 'r');
  const find = (path: string): TarEntry | null => follow(entries, path);
  return {
    entries,
    find,
    read(path) {
      const entry = find(path);
      if (entry?.type !== 'file') throw new Error(`${path}: no such file in the root`);
      const data = Buffer.alloc(entry.sizeBytes);
      readSync(fd, data, 0, entry.sizeBytes, entry.offset);
      return data;
    },
    close: () => closeSync(fd),
  };
}

function follow(entries: Map<string, TarEntry>, path: string): TarEntry | null {
  let rest = path.split('/');
  let done: string[] = [];
  let links = 0;
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const entry = entries.get([...done, part].join('/'));
    if (entry?.type === 'symlink') {
      if (++links > maxLinks) return null;
      rest = [...entry.target.split('/'), ...rest];
      if (entry.target.startsWith('/')) done = [];
    } else if (entry?.type === 'hardlink') {
      if (++links > maxLinks) return null;
      rest = [...entry.target.split('/'), ...rest];
      done = [];
    } else done.push(part);
  }
  return entries.get(done.join('/')) ?? null;
}
