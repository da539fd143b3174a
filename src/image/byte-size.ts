const units = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Bytes of a size as machine files write it, such as `96MiB`; the schema has checked its form. */
export function parseByteSize(text: string): number {
  const match = /^([1-9][0-9]*)(KiB|MiB|GiB)$/.exec(text);
  if (match === null) throw new Error(`not a size: ${text}`);
  return Number(match[1]) * units[match[2] as keyof typeof units];
}

/** For people: `12.3 MiB`. */
export function formatByteSize(sizeBytes: number): string {
  if (sizeBytes < units.MiB) return `${(sizeBytes / units.KiB).toFixed(1)} KiB`;
  return sizeBytes < units.GiB ? `${(sizeBytes / units.MiB).toFixed(1)} MiB` : `${(sizeBytes / units.GiB).toFixed(2)} GiB`;
}

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;
