import { createHash } from 'node:crypto';
import { openSync, readSync, closeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import type { StepContext } from '../model/index.ts';
import { indexTar } from './tar-index.ts';

/** Runs while the root is packed by another program, which leaves this one idle. */
export async function writeFingerprint(context: StepContext<'image/fingerprint'>): Promise<void> {
  const known = 'digests' in context.task.inputs ? (JSON.parse(await readFile(context.input('digests'), 'utf8')) as Record<string, string>) : {};
  await writeFile(context.output('fingerprint.sha256'), fingerprint(context.input('rootfs'), new Map(Object.entries(known))));
}

/**
 * Lines of `sha256sum` for every regular file of a root, sorted by path: `cd / && sha256sum -c` checks a running device against it.
 * @param known digests that need not be computed again, by path
 */
export function fingerprint(rootTar: string, known: ReadonlyMap<string, string> = new Map()): string {
  const entries = [...indexTar(rootTar).values()].filter(({ type }) => type === 'file').sort((a, b) => (a.path < b.path ? -1 : 1));
  const fd = openSync(rootTar, 'r');
  const buffer = Buffer.alloc(1 << 20);
  try {
    return entries
      .map(({ path, offset, sizeBytes }) => {
        const digest = known.get(path);
        if (digest !== undefined) return line(digest, path);
        const hash = createHash('sha256');
        for (let at = 0; at < sizeBytes; at += buffer.length) {
          const length = Math.min(buffer.length, sizeBytes - at);
          readSync(fd, buffer, 0, length, offset + at);
          hash.update(buffer.subarray(0, length));
        }
        return line(hash.digest('hex'), path);
      })
      .join('');
  } finally {
    closeSync(fd);
  }
}

/** As coreutils writes it: a name with a newline or backslash is escaped, and the line starts with a backslash. */
function line(digest: string, path: string): string {
  const escaped = path.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `${escaped === path ? '' : '\\'}${digest}  ${escaped}\n`;
}
