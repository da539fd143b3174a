// Writes docs/machines.md from machines/; with --check, fails where it differs.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const home = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(home, 'machines');
const target = join(home, 'docs', 'machines.md');
const machines = readdirSync(folder)
  .filter((file) => file.endsWith('.yaml'))
  .toSorted()
  .map((file) => ({ name: file.replace(/\.yaml$/, ''), ...parse(readFileSync(join(folder, file), 'utf8')) }));
const notYet = JSON.parse(readFileSync(join(folder, 'not-yet.json'), 'utf8'));
const levels = JSON.parse(readFileSync(join(home, 'src/config/schemas/machine.schema.json'), 'utf8')).properties.verified.properties.level.description;

const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
const code = (text) => `\`${text}\``;
const kib = (bytes) => (bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`);

function loader({ boot }) {
  if (boot.method === 'systemd-boot') return `UEFI, ${code(boot.package.package)}`;
  const before = boot.firmware ? `${boot.firmware.package ? code(boot.firmware.package.package) : 'firmware on the board'} → ` : '';
  if (boot.source) return `${before}U-Boot ${code(boot.source.base)} built from ${code(boot.source.package)}`;
  return `${before}U-Boot ${code(boot.file.split('/').at(-2))} of ${code(boot.package.package)}`;
}

function kernelOf({ kernel: { debian, source, artifact } }) {
  if (artifact) return `${code(artifact.name)} ${artifact.version} (${artifact.architecture}), by its address`;
  return source ? `built from ${code(source.package)} (${source.architecture})` : `${code(debian.package)} (${debian.architecture}${debian.suite ? `, ${debian.suite}` : ''})`;
}

const osip = ({ name, boot }) => (boot.osip ? [[name, 'osip', '0 KiB', '440 bytes', `where ${code(boot.osip.area)} stands`]] : []);
const areas = machines.flatMap(({ name, boot }) => [...osip({ name, boot }), ...(boot.areas ?? []).map((area) => [name, area.name, kib(area.offsetBytes), kib(area.sizeBytes), area.file ? code(area.file.split('/').slice(-2).join('/')) : area.download ? `${code(area.download)}, by its address` : 'zeros'])]);
const text = `# Machines

Generated from machines/ by \`npm run generate\`. \`osbuild machines\` prints the same in short, with \`--json\` a line for each machine and a last one, \`{"notYet": […]}\`, with the boards that are not possible yet; [porting.md](porting.md) says how a board is added.

## What images can be built for

${table(
  ['machine', 'board', 'architecture', 'kernel', 'boot loader', 'table', 'QEMU lane', 'verified'],
  machines.map((machine) => [
    [machine.name, ...(machine.aliases ?? [])].map(code).join(', '),
    machine.description,
    machine.arch,
    kernelOf(machine),
    loader(machine),
    machine.disk.table,
    machine.qemu ? `${machine.qemu.system} ${machine.qemu.machine.split(',')[0]}` : '–',
    machine.verified?.level ?? '–',
  ]),
)}

## What was verified, and how

${levels.split('; ').map((line) => `- ${line.replace(/^(\w+):/, '**$1**:')}`).join('\n')}

${table(
  ['machine', 'verified', 'how'],
  machines.map(({ name, verified }) => [code(name), verified?.level ?? '–', verified?.how ?? '–']),
)}

## Flashers

\`osbuild image --machine <machine> --flasher\` also makes a medium that writes the board's own disk, for boards that have one
([decision 305](decisions/0305-flasher.md)). Which disks count, as patterns of the shell:

${table(
  ['machine', 'disks'],
  machines.filter(({ flasher }) => flasher).map(({ name, flasher }) => [code(name), flasher.disks.map(code).join(', ')]),
)}

## Boot areas

Written outside of all partitions, for boot ROMs. Sources of the offsets stand in the machine files and in test/image/boot-areas.test.ts, which
holds each against them. Every image is refused whose areas reach into the partition table, a partition or each other.

${table(['machine', 'area', 'offset', 'size', 'content'], areas)}

## Files by address

What no archive packages, fetched by \`files\` of the machine file and held against its SHA-256 ([decision 306](decisions/0306-files-by-address.md)). Whether an
image may be handed on with them is between you and their makers.

${table(
  ['machine', 'file', 'licence', 'address'],
  machines.flatMap(({ name, files, kernel }) => [...(files ?? []), ...(kernel.artifact ? [kernel.artifact] : [])].map((file) => [code(name), code(file.name), file.license ?? '–', `<${file.url}>`])),
)}

## Not possible yet

A machine file is here only when its image can be built. These boards have none, for want of parts that Debian's archive does not hold:

${table(
  ['board', 'architecture', 'why', 'what it takes'],
  notYet.map(({ name, arch, why, way }) => [code(name), arch, why, way]),
)}
`;
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write('stale: docs/machines.md; run: npm run generate\n');
    process.exitCode = 1;
  }
} else writeFileSync(target, text);
