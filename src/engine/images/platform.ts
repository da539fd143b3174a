import { EngineError } from '../error.ts';

/** What an image is made for, in Docker's names. `variant` is '' where there is none. */
export interface Platform {
  architecture: string;
  variant: string;
}

/** A platform as indexes name it. */
export interface NamedPlatform {
  architecture?: string;
  os?: string;
  variant?: string;
}

const ALIASES: Record<string, Platform> = {
  x86_64: { architecture: 'amd64', variant: '' },
  'x86-64': { architecture: 'amd64', variant: '' },
  i386: { architecture: '386', variant: '' },
  i686: { architecture: '386', variant: '' },
  aarch64: { architecture: 'arm64', variant: '' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
};

/** What a platform without a variant means. */
const USUAL_LEVEL: Record<string, number> = { amd64: 1, arm: 7, arm64: 8 };

/** 'linux/arm/v7', 'linux/arm64', 'arm64'. Throws 'invalid'. */
export function parsePlatform(text: string): Platform {
  const words = text.toLowerCase().split('/');
  if (words.length > 3 || words.some((word) => !/^[\w.-]+$/.test(word))) throw invalid(text, 'it is written os/architecture/variant');
  const hasOs = words.length > 1 || ['linux', 'windows', 'darwin'].includes(words[0] ?? '');
  const os = hasOs ? words[0] : 'linux';
  if (os !== 'linux') throw invalid(text, 'containers here run Linux alone');
  const [given, variant = ''] = hasOs ? words.slice(1) : words;
  if (given === undefined) throw invalid(text, 'it names no architecture');
  const { architecture, variant: usual } = ALIASES[given] ?? { architecture: given, variant: '' };
  return normal({ architecture, variant: variant === '' ? usual : /^\d+$/.test(variant) ? `v${variant}` : variant });
}

/** 'linux/arm/v7' */
export function formatPlatform({ architecture, variant }: Platform): string {
  return `linux/${architecture}${variant === '' ? '' : `/${variant}`}`;
}

/**
 * The closest of what an index offers: our architecture with the highest variant that is not above ours, else the 32-bit
 * sibling. An offer without any platform is taken when it is the only one.
 */
export function choosePlatform<T extends { platform?: NamedPlatform }>(offers: readonly T[], platform: Platform): T | undefined {
  const only = offers[0];
  if (offers.length === 1 && only?.platform === undefined) return only;
  let best: T | undefined;
  let bestRank = 0;
  for (const offer of offers) {
    const rank = rankOf(offer.platform, platform);
    // The first of equals, as everybody's index has the plain one first.
    if (rank > bestRank) [best, bestRank] = [offer, rank];
  }
  return best;
}

/** Whether an image of `actual` is one that `choosePlatform` could give to somebody who wants `wanted`. */
export function suits(actual: Platform, wanted: Platform): boolean {
  return rankOf({ os: 'linux', ...actual }, wanted) > 0;
}

function rankOf(offer: NamedPlatform | undefined, wanted: Platform): number {
  if (offer?.os !== 'linux' || offer.architecture === undefined) return 0;
  const { architecture, variant } = normal({ architecture: offer.architecture, variant: offer.variant ?? '' });
  const ours = normal(wanted);
  if (architecture === ours.architecture) return 1000 + rankVariant(architecture, variant, ours.variant);
  if (ours.architecture === 'amd64' && architecture === '386') return 1;
  // 64-bit ARM runs what is made for v8 in 32-bit mode and below.
  if (ours.architecture === 'arm64' && architecture === 'arm') return 100 + rankVariant('arm', variant, 'v8');
  return 0;
}

/** Above -1000 only for variants that run on ours. */
function rankVariant(architecture: string, offered: string, ours: string): number {
  if (offered === ours) return 500;
  // Old indexes say 'arm' alone and mean anything: the last choice, but one.
  if (offered === '') return 1;
  const level = levelOf(offered);
  const limit = ours === '' ? (USUAL_LEVEL[architecture] ?? Number.POSITIVE_INFINITY) : levelOf(ours);
  return Number.isNaN(level) || !(level <= limit) ? Number.NEGATIVE_INFINITY : level * 10;
}

/** 'v7' → 7, 'v8.2' → 8.2 */
function levelOf(variant: string): number {
  return /^v\d+(?:\.\d+)?$/.test(variant) ? Number(variant.slice(1)) : Number.NaN;
}

/** 64-bit ARM's first variant and none are the same. */
function normal({ architecture, variant }: Platform): Platform {
  const plain = (architecture === 'arm64' && (variant === 'v8' || variant === '8')) || (architecture === 'amd64' && variant === 'v1');
  return { architecture, variant: plain ? '' : variant };
}

function invalid(text: string, why: string): EngineError {
  return new EngineError('invalid', 'PLATFORM_INVALID', `"${text}": invalid platform: ${why}`, { hint: 'linux/amd64, linux/arm/v7 and linux/arm64 are examples' });
}
