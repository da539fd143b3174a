import { ociPlatforms, type Arch } from '../model/index.ts';

export interface Platform {
  os?: string;
  architecture?: string;
  variant?: string;
}

/** 'linux/arm/v7'. */
export const platformText = ({ os = 'linux', architecture = '', variant }: Platform): string => [os, architecture, ...(variant === undefined || variant === '' ? [] : [variant])].join('/');

/** What a machine runs, or what a service asks for. */
export function wantedPlatform(arch: Arch, asked: string): Platform {
  if (asked === '') return { os: 'linux', ...ociPlatforms[arch] };
  const [os = 'linux', architecture = '', variant] = asked.split('/');
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

const rank = (variant: string | undefined): number => Number(/^v(\d+)$/.exec(variant ?? '')?.[1] ?? 0);

/** How well an image suits, null for not at all: programs of an older ARM run on a newer one. */
export function suits(wanted: Platform, offered: Platform): number | null {
  if ((offered.os ?? 'linux') !== (wanted.os ?? 'linux') || offered.architecture !== wanted.architecture) return null;
  // Images for 64 bits are v8, whether they say so or not.
  if (wanted.architecture !== 'arm') return wanted.variant === undefined || offered.variant === undefined || wanted.variant === offered.variant ? 1 : null;
  return wanted.variant !== undefined && rank(offered.variant) > rank(wanted.variant) ? null : 1 + rank(offered.variant);
}

/** The best of several; undefined when none suits. */
export function choose<T>(wanted: Platform, offers: readonly T[], platformOf: (offer: T) => Platform): T | undefined {
  let best: { offer: T; score: number } | undefined;
  for (const offer of offers) {
    const score = suits(wanted, platformOf(offer));
    if (score !== null && (best === undefined || score > best.score)) best = { offer, score };
  }
  return best?.offer;
}
