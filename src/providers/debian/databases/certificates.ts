import { realPath, type RootTree } from '../tar/index.ts';

const packaged = 'usr/share/ca-certificates/';
const local = 'usr/local/share/ca-certificates/';

/** Certificates of authorities in the image: the packaged ones, then those that recipes add; each sorted by path. */
export function authorityFiles(tree: RootTree): string[] {
  const below = (folder: string): string[] => [...tree.keys()].filter((key) => key.startsWith(folder) && key.endsWith('.crt') && tree.has(realPath(tree, key))).toSorted();
  return [...below(packaged), ...below(local)];
}

/** Names below /etc/ssl/certs: the file's own, with characters that shells mind replaced, ending in .pem. */
export function certificateNames(files: string[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const file of files) {
    const base = (file.split('/').at(-1) ?? '').replace(/\.crt$/, '');
    names.set(file, `${base.replaceAll(' ', '_').replaceAll(/[()]/g, '=').replaceAll(',', '_')}.pem`);
  }
  return names;
}
