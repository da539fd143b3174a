import { link, mkdir, open, readdir, readlink, symlink, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:fs';
import path from 'node:path';
import { newEntry, type RootTree, type TreeNode } from './root-tree.ts';

/**
 * Writes the chosen part of a tree into an empty folder as plain files of the caller: owners, times and special files
 * are left out, modes are kept as far as an ordinary user can.
 */
export async function extractTree(tree: RootTree, folder: string, chosen: (node: TreeNode) => boolean): Promise<void> {
  const nodes = [...tree.values()].filter(chosen).toSorted((a, b) => (a.entry.path < b.entry.path ? -1 : 1));
  const handles = new Map<string, FileHandle>();
  const made = new Set<string>();
  const makeFolder = async (relative: string): Promise<void> => {
    if (relative === '.' || made.has(relative)) return;
    await mkdir(path.join(folder, relative), { recursive: true });
    made.add(relative);
  };
  try {
    for (const { entry, content } of nodes) {
      const target = path.join(folder, entry.path);
      if (entry.type === 'folder') await makeFolder(entry.path);
      else await makeFolder(path.dirname(entry.path));
      if (entry.type === 'link') await symlink(entry.target, target);
      if (entry.type !== 'file' || content === null) continue;
      const out = await open(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, (entry.mode & 0o777) | 0o600);
      try {
        if ('bytes' in content) await out.write(content.bytes);
        else {
          const handle = handles.get(content.file) ?? (await open(content.file, 'r'));
          handles.set(content.file, handle);
          await copyPart(handle, content.offset, entry.sizeBytes, out);
        }
      } finally {
        await out.close();
      }
    }
    for (const { entry } of nodes) if (entry.type === 'hardlink') await link(path.join(folder, entry.target), path.join(folder, entry.path));
  } finally {
    for (const handle of handles.values()) await handle.close();
  }
}

/** Reads a folder of plain files back as a tree, everything owned by root. */
export async function readFolder(folder: string, prefix = ''): Promise<RootTree> {
  const tree: RootTree = new Map();
  for (const item of (await readdir(path.join(folder, prefix), { withFileTypes: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const relative = path.posix.join(prefix, item.name);
    const full = path.join(folder, relative);
    if (item.isDirectory()) {
      tree.set(relative, { entry: newEntry(relative, 'folder'), content: null });
      for (const [key, node] of await readFolder(folder, relative)) tree.set(key, node);
    } else if (item.isSymbolicLink()) {
      tree.set(relative, { entry: newEntry(relative, 'link', { target: await readlink(full) }), content: null });
    } else if (item.isFile()) {
      const handle = await open(full, 'r');
      const { size, mode } = await handle.stat();
      await handle.close();
      tree.set(relative, { entry: newEntry(relative, 'file', { sizeBytes: size, mode: mode & 0o111 ? 0o755 : 0o644 }), content: { file: full, offset: 0 } });
    }
  }
  return tree;
}

async function copyPart(from: FileHandle, offset: number, sizeBytes: number, to: FileHandle): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(1 << 20, Math.max(1, sizeBytes)));
  for (let done = 0; done < sizeBytes; ) {
    const { bytesRead } = await from.read(buffer, 0, Math.min(buffer.length, sizeBytes - done), offset + done);
    if (bytesRead === 0) throw new Error('file ends before the data that was to be extracted');
    for (let written = 0; written < bytesRead; ) written += (await to.write(buffer, written, bytesRead - written)).bytesWritten;
    done += bytesRead;
  }
}
