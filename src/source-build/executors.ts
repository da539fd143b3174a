import type { Executors, SourceSteps } from '../model/index.ts';
import { kernel } from './kernel.ts';
import { uboot } from './uboot.ts';

export const sourceExecutors: Pick<Executors, keyof SourceSteps> = {
  'source/kernel': { version: 1, run: kernel },
  'source/u-boot': { version: 1, run: uboot },
};
