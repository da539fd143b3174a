import type { AnyTask, FileByUrl } from '../model/index.ts';

/** The task that brings the files that a machine names by address: `<sha256>` each. Null where it names none. Pure. */
export function planFiles(id: string, title: string, files: readonly FileByUrl[]): AnyTask | null {
  if (files.length === 0) return null;
  return { id, kind: 'download/files', title: `Fetch ${title}`, args: { files: files.map(({ name, url, sha256 }) => ({ name, url, sha256 })) }, inputs: {}, result: 'files' };
}
