import type { Device } from './device.ts';

/** A document of our own on the state partition. They are written in one piece: one that cannot be read is as good as none. */
export function readJson<T extends object>(files: Device['system']['files'], path: string): Partial<T> | undefined {
  if (!files.exists(path)) return undefined;
  try {
    const value = JSON.parse(files.readText(path)) as Partial<T> | null;
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
