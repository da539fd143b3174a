import { createHash } from 'node:crypto';

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
