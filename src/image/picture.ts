import { OsbuildError } from '../model/index.ts';

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** As src/splash/png.c has it. */
const mostPixelsASide = 8192;
const headerBytes = 33;

/**
 * Looks at the head of a PNG file that goes into an initrd: what minke-splash does not read is an error of the build.
 * @param name of the file, for people
 * @throws OSB_CONFIG_INVALID
 */
export function checkPicture(name: string, file: Buffer): void {
  const wrong = faultOf(file);
  if (wrong !== null) throw new OsbuildError('OSB_CONFIG_INVALID', `${name} ${wrong.what}`, { hint: wrong.hint });
}

function faultOf(file: Buffer): { what: string; hint: string } | null {
  if (!file.subarray(0, signature.length).equals(signature) || file.length < headerBytes) return { what: 'is no PNG file', hint: 'export the picture as PNG' };
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  if (width === 0 || height === 0 || width > mostPixelsASide || height > mostPixelsASide) return { what: `has ${width}x${height} pixels`, hint: `a side has at most ${mostPixelsASide}; a picture of the screen's size is the quickest` };
  if (file[28] !== 0) return { what: 'is interlaced', hint: 'export the PNG file without interlacing (Adam7)' };
  return null;
}
