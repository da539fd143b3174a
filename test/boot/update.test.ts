// Updates a board in QEMU, also with releases that fail, and shows each check of `osbuild test --suite update` as a test of its own.
import { loadProject } from '../../src/config/index.ts';
import { checkNames } from '../../src/device/index.ts';
import { describeOutcome, home, machinesOf, osbuildTest, wanted, whySkipped } from './osbuild-test.ts';

const { build } = await loadProject(home, home);

/** Six boots and three updates of each. */
const chosen = process.env['OSBUILD_UPDATE_MACHINES'] !== undefined;
const why = chosen ? whySkipped : ' (needs OSBUILD_UPDATE_MACHINES=genericx86-64,… : half an hour and more for each)';

for (const name of machinesOf('OSBUILD_UPDATE_MACHINES', 'genericx86-64')) {
  describeOutcome(`updates of ${name} in QEMU${why}`, checkNames('update', [], build.mode ?? 'development'), () => osbuildTest('--machine', name, '--suite', 'update'), !wanted || !chosen);
}
