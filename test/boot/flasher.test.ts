// Tries the flasher of one machine in QEMU: it writes a disk, is cut off, starts again, and the board then starts from that disk. The image has an
// application from the start, whose image no registry has.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadProject } from '../../src/config/index.ts';
import { busyboxImage } from '../../src/device/container-image.ts';
import { flasherCheckNames } from '../../src/device/index.ts';
import { debianArchitectures, type Arch } from '../../src/model/index.ts';
import { boots, describeOutcome, home, machinesOf, osbuildTest, type Outcome } from './osbuild-test.ts';

/** Linux gives up in its first second when QEMU, starved by a busy host, does not deliver timer interrupts: nothing of ours ran then. */
const starved = ({ checks }: Outcome): boolean => [...checks.values()].some(({ outcome, detail = '' }) => outcome === 'failed' && detail.includes("IO-APIC + timer doesn't work"));

const image = 'nowhere.invalid/greeter:1';
const compose = `name: greeter
services:
  greeter: {image: "${image}", init: true, restart: always, command: sleep 1000000}
  listener: {image: "${image}", init: true, restart: always, command: httpd -f -p 80 -h /tmp, depends_on: [greeter]}
`;

/** A project whose images come with applications, for the architecture. */
function projectWithApplications(folder: string, arch: Arch): void {
  const { status, stdout, stderr } = spawnSync(`${home}/osbuild`, ['tools', `busybox-${debianArchitectures[arch]}`], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  writeFileSync(join(folder, 'greeter.tar'), busyboxImage(readFileSync(join(stdout.trim(), 'usr/bin/busybox')), image, arch));
  writeFileSync(join(folder, 'compose.yaml'), compose);
  writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\npreload: {compose: compose.yaml, archives: [greeter.tar]}\n');
}

const { machines } = await loadProject(home, home);
// Images are unpacked with their owners.
const applications = process.getuid?.() === 0;
const { skipped, why } = boots('flasher');

for (const name of machinesOf('OSBUILD_FLASHER_MACHINES', 'genericx86-64')) {
  describeOutcome(`the flasher of ${name} in QEMU${why}`, flasherCheckNames({ applications }), async () => {
    const project = mkdtempSync(join(tmpdir(), 'osbuild-flasher-'));
    try {
      if (applications) projectWithApplications(project, machines.get(name)?.machine.arch ?? 'amd64');
      const words = ['--flasher', '--machine', name, ...(applications ? ['--project', project] : [])];
      const outcome = await osbuildTest(...words);
      return starved(outcome) ? await osbuildTest(...words) : outcome;
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  }, skipped);
}
