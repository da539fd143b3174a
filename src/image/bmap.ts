import { createHash } from 'node:crypto';

import { OsbuildError } from '../model/index.ts';

/** Bytes of the image that must be written, with the digest of each range; all in whole blocks but for the image's end. */
export interface BlockMap {
  imageBytes: number;
  ranges: Array<{ start: number; end: number; sha256: string }>;
}

export const bmapBlockBytes = 4096;

/** A block map in bmaptool's format 2.0; its own checksum is taken with zeros in its place. */
export function encodeBmap(map: BlockMap): string {
  const blocks = map.ranges.map(({ start, end, sha256 }) => ({ first: start / bmapBlockBytes, last: Math.ceil(end / bmapBlockBytes) - 1, sha256 }));
  const mapped = blocks.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const zeros = '0'.repeat(64);
  const text = [
    '<?xml version="1.0" ?>',
    '<bmap version="2.0">',
    `    <ImageSize> ${map.imageBytes} </ImageSize>`,
    `    <BlockSize> ${bmapBlockBytes} </BlockSize>`,
    `    <BlocksCount> ${Math.ceil(map.imageBytes / bmapBlockBytes)} </BlocksCount>`,
    `    <MappedBlocksCount> ${mapped} </MappedBlocksCount>`,
    '    <ChecksumType> sha256 </ChecksumType>',
    `    <BmapFileChecksum> ${zeros} </BmapFileChecksum>`,
    '    <BlockMap>',
    ...blocks.map(({ first, last, sha256 }) => `        <Range chksum="${sha256}"> ${first === last ? first : `${first}-${last}`} </Range>`),
    '    </BlockMap>',
    '</bmap>',
    '',
  ].join('\n');
  return text.replace(zeros, createHash('sha256').update(text).digest('hex'));
}

/** Reads a block map of bmaptool's format, versions 1.4 and 2.0, with SHA-256. Throws OSB_HASH_MISMATCH where it is damaged, OSB_USAGE where it is none. */
export function decodeBmap(text: string): BlockMap {
  const field = (name: string): string | undefined => new RegExp(`<${name}>\\s*([^<\\s]+)\\s*</${name}>`).exec(text)?.[1];
  const [imageBytes, blockBytes, own] = [Number(field('ImageSize')), Number(field('BlockSize')), field('BmapFileChecksum')];
  if (!/<bmap\s/.test(text) || !Number.isSafeInteger(imageBytes) || !Number.isSafeInteger(blockBytes) || own === undefined || (field('ChecksumType') ?? 'sha256') !== 'sha256') {
    throw new OsbuildError('OSB_USAGE', 'not a block map with SHA-256 digests', { hint: 'take the .bmap that was built with the image' });
  }
  if (createHash('sha256').update(text.replace(own, '0'.repeat(64))).digest('hex') !== own) {
    throw new OsbuildError('OSB_HASH_MISMATCH', 'the block map is damaged: its checksum differs', { hint: 'take it again, or build the image' });
  }
  const ranges = [...text.matchAll(/<Range\s+chksum="([0-9a-f]{64})">\s*(\d+)(?:-(\d+))?\s*<\/Range>/g)].map(([, sha256 = '', first, last]) => ({
    start: Number(first) * blockBytes,
    end: Math.min((Number(last ?? first) + 1) * blockBytes, imageBytes),
    sha256,
  }));
  if (ranges.some(({ start, end }, index) => start >= end || start < (ranges[index - 1]?.end ?? 0))) throw new OsbuildError('OSB_USAGE', 'the ranges of the block map are not in order');
  return { imageBytes, ranges };
}
