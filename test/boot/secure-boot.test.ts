// Starts an image that is signed by keys of its own in a firmware with Secure Boot, and shows each check of `osbuild test --suite secure-boot` as a test of its own:
//
//   OSBUILD_TEST_SUITES=secure-boot npm test -- test/boot/secure-boot.test.ts
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { loadProject, resolveRecipes } from '../../src/config/index.ts';
import { checkNames } from '../../src/device/index.ts';
import { describeOutcome, home, osbuildTest, wanted, whySkipped } from './osbuild-test.ts';

const name = 'genericx86-64';
const project = await loadProject(home, home);
const recipes = await resolveRecipes(project, [...(project.build.recipes ?? []), ...(project.machines.get(name)?.machine.recipes ?? [])]);
const runs = process.env['OSBUILD_TEST_SUITES']?.split(',').includes('secure-boot') === true;
const why = runs ? whySkipped : ' (needs OSBUILD_TEST_SUITES=secure-boot: a quarter of an hour and more)';

describeOutcome(`suite secure-boot of ${name} in QEMU${why}`, checkNames('secure-boot', recipes, project.build.mode ?? 'development'), async () => {
  const folder = mkdtempSync(join(tmpdir(), 'osbuild-secure-boot-'));
  try {
    const config = join(folder, 'build.config.yaml');
    writeFileSync(config, 'base: osbuild\n');
    await execa(join(home, 'osbuild'), ['key', 'secure-boot', '--project', folder]);
    writeFileSync(config, 'base: osbuild\nsecureBoot: { key: keys/secure-boot/db.pem, certificate: keys/secure-boot/db.crt, enroll: keys/secure-boot/enroll }\n');
    return await osbuildTest('--machine', name, '--suite', 'secure-boot', '--project', folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, !wanted || !runs);
