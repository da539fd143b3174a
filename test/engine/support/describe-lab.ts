import { afterAll, beforeAll, describe } from 'vitest';
import { labObstacle, loadBusybox, openLab, type Lab } from './lab.ts';

export interface LabOptions {
  /** Whether the busybox image is there from the start; it is unless said otherwise. */
  image?: boolean;
  /** Why the tests cannot run here although a lab could be had. */
  obstacle?: string | undefined;
}

/** Tests that have one lab with a running daemon together. Where there can be none they are skipped, and their title says why. */
export function describeLab(title: string, tests: (lab: Lab) => void, { image = true, obstacle }: LabOptions = {}): void {
  const reason = labObstacle() ?? obstacle;
  describe.skipIf(reason !== undefined)(reason === undefined ? title : `${title} (${reason})`, () => {
    // Filled when the lab is open: tests are collected long before.
    const lab = {} as Lab;
    let opened: Lab | undefined;
    beforeAll(async () => {
      opened = await openLab();
      Object.assign(lab, opened);
      await lab.startDaemon();
      if (image) loadBusybox(lab);
    });
    afterAll(() => opened?.close());
    tests(lab);
  });
}
