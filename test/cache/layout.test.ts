import { expect, test } from 'vitest';

import { defaultCacheFolder } from '../../src/cache/index.ts';

test.each([
  [{}, '/home/ann/.cache/osbuild'],
  [{ XDG_CACHE_HOME: '/var/cache/ann' }, '/var/cache/ann/osbuild'],
  // By the specification, a relative path is to be ignored.
  [{ XDG_CACHE_HOME: 'cache' }, '/home/ann/.cache/osbuild'],
  [{ OSBUILD_CACHE_DIR: '/srv/osbuild', XDG_CACHE_HOME: '/var/cache/ann' }, '/srv/osbuild'],
  [{ OSBUILD_CACHE_DIR: '', XDG_CACHE_HOME: '' }, '/home/ann/.cache/osbuild'],
])('with %o the cache is %s', (environment, folder) => {
  expect(defaultCacheFolder(environment, '/home/ann')).toBe(folder);
});
