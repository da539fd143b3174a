// Runs suites that take half an hour and more for a machine, and shows each check of `osbuild test --suite` as a test of its own:
//
//   OSBUILD_TEST_SUITES=update,config,network,field,damage OSBUILD_SUITE_MACHINES=genericx86-64 npm test -- test/boot/suites.test.ts
import { loadProject, resolveRecipes } from '../../src/config/index.ts';
import { checkNames, hasModem, hasRadio, hasWatchdog, suites } from '../../src/device/index.ts';
import { describeOutcome, home, machinesOf, osbuildTest, wanted, whySkipped } from './osbuild-test.ts';

const project = await loadProject(home, home);
const { build, machines } = project;
const chosen = process.env['OSBUILD_TEST_SUITES']?.split(',');

for (const name of machinesOf('OSBUILD_SUITE_MACHINES', 'genericx86-64')) {
  const machine = machines.get(name)?.machine;
  const recipes = await resolveRecipes(project, [...(build.recipes ?? []), ...(machine?.recipes ?? [])]);
  for (const suite of suites.filter((one) => !['boot', 'start', 'faults', 'secure-boot'].includes(one))) {
    const runs = chosen?.includes(suite) === true;
    const why = runs ? whySkipped : ` (needs OSBUILD_TEST_SUITES=${suite}: half an hour and more)`;
    const names = checkNames(suite, [], build.mode ?? 'development', machine === undefined ? {} : { radio: hasRadio(machine, recipes), modem: hasModem(machine, recipes), watchdog: hasWatchdog(machine) });
    describeOutcome(`suite ${suite} of ${name} in QEMU${why}`, names, () => osbuildTest('--machine', name, '--suite', suite), !wanted || !runs);
  }
}
