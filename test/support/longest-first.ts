import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Longest first: two lanes end together when the short ones come last. */
const longest = ['test/e2e/build', 'test/host/architectures', 'test/boot/raspberrypi3-64', 'test/boot/faults', 'test/boot/qemuarm64', 'test/boot/genericx86-64', 'test/boot/flasher'].map((name) => `/${name}.test.ts`);

/** On a new machine nothing is known of earlier runs, and vitest would go by the sizes of the files. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = longest.findIndex((name) => moduleId.endsWith(name));
      return place === -1 ? longest.length : place;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
