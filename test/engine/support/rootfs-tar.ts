import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tarFile, tarOf, tarSymlink, tarFolder } from './tar-writer.ts';

let cached: Buffer | undefined;

/** The archive of a root file system: busybox with all its applets, users, a page to serve, and content for a volume. */
export function rootfsTar(): Buffer {
  cached ??= build();
  return cached;
}

/** What a busybox that is not static needs of the machine, with its folders; nothing for one that is. */
function librariesOf(program: string): Buffer[] {
  const listed = spawnSync('ldd', [program]).stdout.toString();
  const paths = [...listed.matchAll(/(?:^|\s)(\/\S+)(?= \(0x)/gm)].map((match) => match[1] ?? '');
  const folders = new Set(paths.flatMap((path) => path.split('/').slice(1, -1).map((_, index, parts) => parts.slice(0, index + 1).join('/'))));
  return [...[...folders].toSorted().map((path) => tarFolder(path)), ...paths.map((path) => tarFile(path.slice(1), readFileSync(path), { mode: 0o755 }))];
}

function build(): Buffer {
  const busybox = spawnSync('sh', ['-c', 'command -v busybox']).stdout.toString().trim();
  const applets = spawnSync(busybox, ['--list']).stdout.toString().split('\n').filter((name) => name !== '' && name !== 'busybox');
  return tarOf([
    ...['bin', 'etc', 'root', 'proc', 'sys', 'dev', 'var', 'var/www', 'data'].map((path) => tarFolder(path)),
    ...librariesOf(busybox),
    tarFolder('tmp', { mode: 0o1777 }),
    tarFile('bin/busybox', readFileSync(busybox), { mode: 0o755 }),
    ...applets.map((name) => tarSymlink(`bin/${name}`, 'busybox')),
    tarFile('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n'),
    tarFile('etc/group', 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n'),
    tarFile('var/www/index.html', 'hello from minke\n'),
    tarFile('data/seed', 'seeded\n', { uid: 1000 }),
  ]);
}
