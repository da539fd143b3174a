import { describe, expect, test } from 'vitest';

import { checkPicture } from '../../src/image/picture.ts';
import { encodePng, rgb } from '../splash/png.ts';

const png = (options: { width?: number; height?: number; interlaced?: boolean } = {}): Buffer => {
  const file = encodePng({ width: 2, height: 2, colour: rgb, depth: 8, interlaced: options.interlaced ?? false }, () => 1);
  file.writeUInt32BE(options.width ?? 2, 16);
  file.writeUInt32BE(options.height ?? 2, 20);
  return file;
};

describe('a picture for the initrd', () => {
  test('is taken up to 8192 pixels a side', () => {
    expect(() => checkPicture('splash.png', png())).not.toThrow();
    expect(() => checkPicture('splash.png', png({ width: 8192, height: 8192 }))).not.toThrow();
  });

  test.each<[string, Buffer, string]>([
    ['a JPEG file by that name', Buffer.from('ffd8ffe000104a464946', 'hex'), 'recipes/x/initrd/lib/splash.png is no PNG file'],
    ['an empty file', Buffer.alloc(0), 'recipes/x/initrd/lib/splash.png is no PNG file'],
    ['one without pixels', png({ width: 0 }), 'recipes/x/initrd/lib/splash.png has 0x2 pixels'],
    ['a poster', png({ height: 9000 }), 'recipes/x/initrd/lib/splash.png has 2x9000 pixels'],
    ['an interlaced one', png({ interlaced: true }), 'recipes/x/initrd/lib/splash.png is interlaced'],
  ])('%s is refused with what to do', (_, file, message) => {
    expect(() => checkPicture('recipes/x/initrd/lib/splash.png', file)).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID', message, hint: expect.stringMatching(/./) as string }) as Error);
  });
});
