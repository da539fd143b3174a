import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadBusybox, openLab, waitFor, type Lab, type Outcome } from '../../engine/support/lab.ts';
import { rootfsTar } from '../../engine/support/rootfs-tar.ts';
import { COMMANDS } from './commands.ts';
import { judge, type Verdict } from './compare.ts';
import { formatPage } from './page.ts';

export interface Compared {
  command: string;
  docker: Outcome;
  minke: Outcome;
  verdict: Verdict;
}

const DOCKERFILE = `FROM lab:1 AS first
RUN echo first > /stage
FROM lab:1
ARG WHO=nobody
ENV NAME=$WHO
WORKDIR /srv
EXPOSE 80/tcp
LABEL a=b
COPY --from=first /stage /srv/
COPY file .
CMD cat file stage; echo $NAME
`;

function prepare(lab: Lab): void {
  writeFileSync(join(lab.folder, 'base.tar'), rootfsTar());
  writeFileSync(join(lab.folder, 'env.list'), '# comment\nFROM_FILE=yes\n');
  writeFileSync(join(lab.folder, 'bad.dockerfile'), 'FROM lab:1\nNONSENSE x\n');
  mkdirSync(join(lab.folder, 'project'));
  writeFileSync(join(lab.folder, 'project/Dockerfile'), DOCKERFILE);
  writeFileSync(join(lab.folder, 'project/file'), 'a file\n');
  loadBusybox(lab);
  lab.ok('tag', 'busybox:lab', 'lab:1');
  lab.ok('rmi', 'busybox:lab');
}

async function startDocker(lab: Lab): Promise<void> {
  const log = join(lab.folder, 'dockerd.log');
  const paths = `--data-root ${lab.folder}/docker --exec-root ${lab.folder}/docker-run --pidfile ${lab.folder}/docker.pid`;
  lab.spawn(['sh', '-c', `exec dockerd -H unix://${lab.socket} ${paths} > ${log} 2>&1`]);
  await waitFor(() => lab.docker('version').code === 0, 60_000).catch(() => {
    throw new Error(`dockerd does not start:\n${readFileSync(log, 'utf8').slice(-2000)}`);
  });
}

async function stopDocker(lab: Lab): Promise<void> {
  const pid = Number(readFileSync(`${lab.folder}/docker.pid`, 'utf8'));
  process.kill(pid, 'SIGTERM');
  await waitFor(() => lab.run(['kill', '-0', String(pid)]).code !== 0, 30_000);
}

/** Runs all commands against Docker and minke; `legacyBuilder` because Docker's own builds go through a plugin that one of the two may lack. */
export async function compareEngines(report: (line: string) => void): Promise<{ compared: Compared[]; dockerVersion: string }> {
  const labs = [await openLab(), await openLab()] as const;
  const [docker, minke] = labs;
  try {
    await startDocker(docker);
    await minke.startDaemon();
    for (const lab of labs) prepare(lab);
    const dockerVersion = docker.ok('version', '--format', '{{.Server.Version}}');
    const compared = COMMANDS.map((command): Compared => {
      const [one, other] = labs.map((lab) => lab.run(['sh', '-c', `cd ${lab.folder} && export DOCKER_BUILDKIT=0 && ${command}`])) as [Outcome, Outcome];
      const verdict = judge(one, other, [docker.folder, minke.folder]);
      if (verdict !== 'identical') report(`${verdict}: ${command}\n  docker ${one.code}: ${show(one)}\n  minke  ${other.code}: ${show(other)}`);
      return { command, docker: one, minke: other, verdict };
    });
    return { compared, dockerVersion };
  } finally {
    await stopDocker(docker).catch(() => undefined);
    for (const lab of labs) await lab.close();
  }
}

function show({ stdout, stderr }: Outcome): string {
  return JSON.stringify(`${stdout}${stderr === '' ? '' : ` ⟂ ${stderr}`}`).slice(0, 300);
}

/** Writes the page; resolves with the exit code: 1 when a command differs for which no reason is kept. */
export async function runCliConformance(home: string, reasons: Readonly<Record<string, string>>, report: (line: string) => void): Promise<number> {
  const { compared, dockerVersion } = await compareEngines(report);
  writeFileSync(join(home, 'docs/engine/conformance-cli.md'), formatPage(compared, dockerVersion, reasons));
  const unexplained = compared.filter(({ verdict, command }) => verdict === 'different' && reasons[command] === undefined);
  report(`${compared.length} commands: ${['identical', 'words', 'different'].map((verdict) => `${compared.filter((one) => one.verdict === verdict).length} ${verdict}`).join(', ')}; ${unexplained.length} without a reason`);
  return unexplained.length === 0 ? 0 : 1;
}
