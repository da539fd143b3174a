import type { BlobInfo } from '../blobs.ts';
import type { TaskResult } from '../results.ts';

/**
 * A result as cache servers keep it: build.bazel.remote.execution.v2.ActionResult in protobuf's JSON form. Servers that know
 * the protocol check that every digest in it is there before they hand it out; others keep it as the file it is.
 */
interface ActionResult {
  outputFiles: { path: string; digest: { hash: string; sizeBytes: string } }[];
}

export function toActionResult(result: TaskResult): string {
  const outputFiles = Object.entries(result.files).map(([path, { sha256, sizeBytes }]) => ({ path, digest: { hash: sha256, sizeBytes: String(sizeBytes) } }));
  return JSON.stringify({ outputFiles } satisfies ActionResult);
}

/** Reads what a server sent, of which nothing is trusted; null when it is not the result of a task of ours. */
export function fromActionResult(text: string): TaskResult | null {
  const parsed = parse(text) as { outputFiles?: unknown; exitCode?: unknown } | null;
  if (typeof parsed !== 'object' || parsed === null || !Array.isArray(parsed.outputFiles) || parsed.outputFiles.length === 0 || (parsed.exitCode ?? 0) !== 0) return null;
  const files: Record<string, BlobInfo> = {};
  for (const entry of parsed.outputFiles as unknown[]) {
    const { path, digest } = (entry ?? {}) as { path?: unknown; digest?: { hash?: unknown; sizeBytes?: unknown } };
    // Proto3's JSON leaves out what is zero and writes 64-bit numbers as text.
    const sizeBytes = Number(digest?.sizeBytes ?? 0);
    if (typeof path !== 'string' || !/^[A-Za-z0-9._+~:%@=,-]+$/.test(path) || path === '.' || path === '..') return null;
    if (typeof digest?.hash !== 'string' || !/^[0-9a-f]{64}$/.test(digest.hash) || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) return null;
    files[path] = { sha256: digest.hash, sizeBytes };
  }
  return { files, tree: false, durationMs: 0 };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
