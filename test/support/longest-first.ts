import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Longest first: two lanes of boots end together when the short ones come last. */
const boots = ['raspberrypi3-64', 'faults', 'qemuarm64', 'genericx86-64', 'flasher'].map((name) => `${name}.test.ts`);

/** On a new machine nothing is known of earlier runs, and vitest would go by the sizes of the files. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = boots.indexOf(basename(moduleId));
      return place === -1 ? boots.length : place;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
