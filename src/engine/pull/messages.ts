import { humanSizeWithPrecision } from '../format/index.ts';

/** A line of Docker's progress stream. */
export interface PullMessage {
  status: string;
  /** The layer's short digest, or the tag. */
  id?: string;
  progressDetail?: { current?: number; total?: number };
  /** The same for those who only print. */
  progress?: string;
}

export type Report = (message: PullMessage) => void;

const BAR_WIDTH = 50;

export function layerId(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

/** `status`: 'Downloading' or 'Pushing'. */
export function transferring(status: string, id: string, current: number, total: number): PullMessage {
  const filled = total === 0 ? BAR_WIDTH : Math.floor((Math.min(current, total) / total) * BAR_WIDTH);
  const bar = filled >= BAR_WIDTH ? `${'='.repeat(BAR_WIDTH)}>` : `${'='.repeat(filled)}>${' '.repeat(BAR_WIDTH - filled)}`;
  return { status, id, progressDetail: { current, total }, progress: `[${bar}] ${humanSizeWithPrecision(current, 4).padStart(8)}/${humanSizeWithPrecision(total, 4)}` };
}
