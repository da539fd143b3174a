import { execaSync } from 'execa';
import type { TestContext } from 'vitest';

/** Skips a test with its reason where a condition of this machine does not hold; the closing report names both. */
export function need(context: TestContext, holds: boolean, reason: string): void {
  if (!holds) context.skip(reason);
}

export const isRoot = process.getuid?.() === 0;

/** Whether a program can be found on PATH. */
export function hasProgram(name: string): boolean {
  return execaSync('sh', ['-c', `command -v ${name}`], { reject: false }).exitCode === 0;
}

/** Whether `npm test` runs whole: it sets this, and has built what the end-to-end tests examine. */
export const wholeRun = process.env['OSBUILD_TEST_IMAGES'] === '1';
export const wholeRunReason = 'builds images: runs with a plain `npm test`, or with OSBUILD_TEST_IMAGES=1';
