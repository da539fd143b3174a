import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab, Outcome } from './lab.ts';

const folder = fileURLToPath(new URL('../applications/', import.meta.url));

/** The tree of `osbuild tools test-applications`: Debian's docker compose, PostgreSQL, nginx, Redis. */
const tree = process.env['OSBUILD_TEST_APPLICATIONS'];

export function applicationsObstacle(): string | undefined {
  if (tree === undefined) return 'OSBUILD_TEST_APPLICATIONS does not name the tree of `osbuild tools test-applications`';
  return existsSync(join(tree, 'usr/libexec/docker/cli-plugins/docker-compose')) ? undefined : `${tree} has no docker compose`;
}

/** Imports the image `applications`, which those of the projects are made of: the tree without the clients and without what is only read by people; its nsswitch.conf knows no DNS. */
export function loadApplications(lab: Lab): void {
  const left = ['./proc/*', './sys/*', './dev/*', './in', './out', './usr/bin/docker', './usr/libexec/docker', './usr/share/doc', './usr/share/man', './usr/lib/x86_64-linux-gnu/libLLVM*', './var/lib/dpkg', './var/cache', './etc/nsswitch.conf'];
  const pack = `tar -C "$1" ${left.map((pattern) => `--exclude='${pattern}'`).join(' ')} -c . | docker import - applications`;
  const { code, stderr } = lab.run(['sh', '-euc', pack, 'sh', tree ?? '']);
  if (code !== 0) throw new Error(`the image could not be imported: ${stderr}`);
}

export interface Compose {
  (...words: string[]): Outcome;
  /** stdout of a command that has to succeed. */
  ok(...words: string[]): string;
}

/** docker compose over one of the projects beside the tests, with the tree's own libraries: the host's may be older. */
export function compose(lab: Lab, project: string, environment: Record<string, string> = {}): Compose {
  return composeIn(lab, join(folder, project), environment);
}

/** The same over a project in any folder. */
export function composeIn(lab: Lab, projectFolder: string, environment: Record<string, string> = {}): Compose {
  const loader = [join(tree ?? '', 'lib64/ld-linux-x86-64.so.2'), '--library-path', join(tree ?? '', 'usr/lib/x86_64-linux-gnu'), join(tree ?? '', 'usr/libexec/docker/cli-plugins/docker-compose')];
  // Without BuildKit, whose own protocol the engine does not speak (docs/engine/build.md).
  const assignments = Object.entries({ DOCKER_BUILDKIT: '0', ...environment }).map(([name, value]) => `${name}=${value}`);
  const call = (...words: string[]): Outcome => lab.run(['env', ...assignments, ...loader, '--progress', 'plain', '--project-directory', projectFolder, ...words]);
  return Object.assign(call, {
    ok: (...words: string[]): string => {
      const { code, stdout, stderr } = call(...words);
      if (code !== 0) throw new Error(`docker compose ${words.join(' ')} → ${code}: ${stdout}${stderr}\n${call('logs', '--no-color').stdout.slice(-2000)}`);
      return stdout;
    },
  });
}
