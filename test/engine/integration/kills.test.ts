import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { callEngine, callGood } from '../support/engine-call.ts';
import { makeGatedPrograms, type Gate, type GatedPrograms } from '../support/gated-programs.ts';
import { IMAGE, waitFor, type Lab } from '../support/lab.ts';
import { remains } from '../support/remains.ts';

/** More rounds: each goes through all moments again, with kills at other times beside them. */
const rounds = Number(process.env['OSBUILD_KILL_ROUNDS'] ?? '1');

/** A container made for one case, with all that can be left behind: an address of a small network, a published port. */
const REQUEST = { Image: IMAGE, Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'small', PortBindings: { '80/tcp': [{ HostPort: '' }] } }, ExposedPorts: { '80/tcp': {} } };

/** conmon waits for ever there when crun is killed, and the daemon for two minutes: with more rounds only. */
const PATIENT_GATE = 'crun create done';

type Victim = 'daemon' | 'conmon' | 'helper';

interface Case {
  step: string;
  gates: readonly Gate[];
  victims: readonly Victim[];
  /** Brings the container to where the step begins. */
  before?(lab: Lab, id: string): Promise<unknown>;
  act(lab: Lab, id: string): Promise<unknown>;
}

const start = (lab: Lab, id: string): Promise<string> => callGood(lab.socket, 'POST', `/containers/${id}/start`);
const execute = async (lab: Lab, id: string): Promise<unknown> => {
  const { body } = await callEngine(lab.socket, 'POST', `/containers/${id}/exec`, { Cmd: ['sleep', '0.1'], AttachStdout: true });
  const exec = (JSON.parse(body) as { Id?: string }).Id ?? '';
  return callEngine(lab.socket, 'POST', `/exec/${exec}/start`, { Detach: false, Tty: false });
};

const CASES: readonly Case[] = [
  { step: 'start', gates: ['conmon', 'crun create', 'crun create done', 'nft', 'crun start', 'crun start done'], victims: ['daemon', 'conmon', 'helper'], act: (lab, id) => callEngine(lab.socket, 'POST', `/containers/${id}/start`) },
  { step: 'exec', gates: ['conmon', 'crun exec', 'crun exec done'], victims: ['daemon', 'conmon', 'helper'], before: start, act: execute },
  { step: 'stop', gates: ['crun delete', 'crun delete done', 'nft'], victims: ['daemon', 'conmon', 'helper'], before: start, act: (lab, id) => callEngine(lab.socket, 'POST', `/containers/${id}/stop?t=0`) },
  { step: 'remove', gates: ['crun delete', 'crun delete done'], victims: ['daemon', 'conmon', 'helper'], before: start, act: (lab, id) => callEngine(lab.socket, 'DELETE', `/containers/${id}?force=1`) },
  { step: 'pause', gates: ['crun pause', 'crun pause done'], victims: ['daemon', 'conmon', 'helper'], before: start, act: (lab, id) => callEngine(lab.socket, 'POST', `/containers/${id}/pause`) },
  {
    step: 'network connect', gates: ['nft'], victims: ['daemon', 'helper'], before: start,
    act: (lab, id) => callEngine(lab.socket, 'POST', '/networks/other/connect', { Container: id }),
  },
  {
    step: 'network disconnect', gates: ['nft'], victims: ['daemon', 'helper'], before: start,
    act: (lab, id) => callEngine(lab.socket, 'POST', '/networks/small/disconnect', { Container: id }),
  },
];

function conmonsOf(id: string): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'conmon\n' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(id);
    } catch {
      return false;
    }
  }).map(Number);
}

describeLab('kills at every moment of a container’s life', (lab) => {
  let programs: GatedPrograms | undefined;
  let bystander = { id: '', pid: '' };
  const everyId: string[] = [];

  const setUp = async (): Promise<GatedPrograms> => {
    if (programs !== undefined) return programs;
    programs = makeGatedPrograms(lab.folder);
    await lab.signalDaemon('SIGTERM');
    await lab.startDaemon(...programs.flags);
    // Five addresses: one that is not given back is missed soon.
    lab.ok('network', 'create', '--subnet', '10.201.7.0/29', 'small');
    lab.ok('network', 'create', 'other');
    const id = lab.ok('run', '-d', '--name', 'bystander', '-p', '18099:80', IMAGE, 'httpd', '-f', '-h', '/var/www');
    bystander = { id, pid: lab.ok('inspect', '-f', '{{.State.Pid}}', id) };
    return programs;
  };

  const create = async (): Promise<string> => {
    const { Id } = JSON.parse(await callGood(lab.socket, 'POST', '/containers/create', REQUEST)) as { Id: string };
    everyId.push(Id);
    return Id;
  };

  /** Everything that is not the bystander goes; then nothing of it is left, and the bystander lives as before. */
  const settle = async (): Promise<void> => {
    const others = lab.ok('ps', '-aq', '--no-trunc').split('\n').filter((id) => id !== '' && id !== bystander.id);
    if (others.length > 0) lab.ok('rm', '-f', ...others);
    const mine = (text: string): boolean => text.includes(bystander.id) || text.includes(bystander.id.slice(0, 9)) || text.includes('18099') || text.includes('dnat to 10.114.');
    let left: string[] = [];
    try {
      await waitFor(() => {
        left = remains(lab, everyId).filter((text) => !mine(text) && !text.startsWith(`conmon ${conmonsOf(bystander.id)[0] ?? ''}`));
        return left.length === 0;
      }, 5000);
    } catch {
      expect(left, lab.daemonLog().slice(-3000)).toEqual([]);
    }
    expect(lab.ok('inspect', '-f', '{{.State.Status}} {{.State.Pid}}', bystander.id)).toBe(`running ${bystander.pid}`);
    expect(lab.ok('exec', bystander.id, 'echo', 'inside')).toBe('inside');
  };

  /** What the daemon says of a running container's networks is what is in the container. */
  const isWhole = (id: string): void => {
    const said = lab.ok('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}', id).split(' ').filter((address) => address !== '');
    const pid = lab.ok('inspect', '-f', '{{.State.Pid}}', id);
    const had = [...lab.run(['nsenter', '-t', pid, '-n', 'ip', '-4', '-br', 'addr']).stdout.matchAll(/^eth\S+\s+\S+\s+([\d.]+)\//gm)].map((match) => match[1]);
    expect(had.toSorted()).toEqual(said.toSorted());
    if (said.some((address) => address.startsWith('10.201.7.'))) expect(lab.ok('port', id)).toMatch(/^80\/tcp -> 0\.0\.0\.0:\d+$/m);
  };

  const kill = async (victim: Victim, helper: number, id: string): Promise<void> => {
    if (victim === 'daemon') await lab.signalDaemon('SIGKILL');
    else if (victim === 'helper') process.kill(helper, 'SIGKILL');
    else for (const pid of conmonsOf(id)) process.kill(pid, 'SIGKILL');
  };

  for (const { step, gates, victims, before, act } of CASES) {
    const moments = gates.flatMap((gate) => victims.map((victim): [Gate, Victim] => [gate, victim])).filter(([gate, victim]) => rounds > 1 || gate !== PATIENT_GATE || victim !== 'helper');
    it.each(moments)(`${step}, at %s: the %s`, async (gate, victim) => {
      const { shut, reached, open, flags } = await setUp();
      for (let round = 0; round < rounds; round += 1) {
        const id = await create();
        await before?.(lab, id);
        shut(gate);
        const acting = act(lab, id);
        const helper = await reached(gate);
        await kill(victim, helper, id);
        // Half of the time whatever stands there goes on before the daemon is back.
        const openFirst = round % 2 === 0;
        if (openFirst) open(gate);
        if (victim === 'daemon') {
          const starting = lab.startDaemon(...flags);
          if (!openFirst) {
            await new Promise((resolve) => setTimeout(resolve, 200));
            open(gate);
          }
          await starting;
        } else open(gate);
        await acting;
        const status = lab.docker('inspect', '-f', '{{.State.Status}}', id).stdout.trim();
        expect(status).toMatch(step === 'remove' ? /^$|removing|exited|running/ : /^(created|running|exited|paused)$/);
        // A container without its conmon is ended as soon as the daemon sees it.
        if (status === 'running' && victim !== 'conmon') isWhole(id);
        await settle();
      }
    }, rounds > 1 ? 150_000 * rounds : 60_000);
  }

  it('create: the daemon, a little later each time', async () => {
    const { flags } = await setUp();
    for (let round = 0; round < 10 * rounds; round += 1) {
      const creating = callEngine(lab.socket, 'POST', `/containers/create?name=young-${round}`, { ...REQUEST, Volumes: { '/data': {} } });
      await new Promise((resolve) => setTimeout(resolve, round % 10));
      await lab.signalDaemon('SIGKILL');
      const { status } = await creating;
      await lab.startDaemon(...flags);
      if (status === 201) lab.ok('inspect', `young-${round}`);
    }
    await settle();
    expect(readdirSync(`${lab.dataRoot}/containers`)).toEqual([bystander.id]);
  }, 60_000 * rounds);

  it('paused: the conmon, and it is removed a moment later', async () => {
    await setUp();
    for (let round = 0; round < 12 * rounds; round += 1) {
      const id = await create();
      await start(lab, id);
      lab.ok('pause', id);
      for (const pid of conmonsOf(id)) process.kill(pid, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 4 * (round % 12)));
      expect((await callEngine(lab.socket, 'DELETE', `/containers/${id}?force=1`)).status).toBe(204);
    }
    await settle();
  }, 60_000 * rounds);

  it('running: daemon, conmon and the container’s process, in turn and at once', async () => {
    const { flags } = await setUp();
    for (const victims of [['daemon'], ['conmon'], ['process'], ['daemon', 'conmon'], ['daemon', 'process'], ['conmon', 'process'], ['daemon', 'conmon', 'process']]) {
      const id = await create();
      await start(lab, id);
      const pid = Number(lab.ok('inspect', '-f', '{{.State.Pid}}', id));
      if (victims.includes('daemon')) await lab.signalDaemon('SIGKILL');
      if (victims.includes('conmon')) for (const each of conmonsOf(id)) process.kill(each, 'SIGKILL');
      if (victims.includes('process')) process.kill(pid, 'SIGKILL');
      if (victims.includes('daemon')) await lab.startDaemon(...flags);
      await waitFor(() => lab.ok('inspect', '-f', '{{.State.Status}}', id) === (victims.join() === 'daemon' ? 'running' : 'exited'));
      await settle();
    }
  }, 120_000);

  it('after all of that: every address can still be lent, and published ports answer', async () => {
    await setUp();
    const ids = await Promise.all(Array.from({ length: 5 }, create));
    for (const id of ids) await start(lab, id);
    expect(new Set(lab.ok('inspect', '-f', '{{.NetworkSettings.Networks.small.IPAddress}}', ...ids).split('\n')).size).toBe(5);
    const page = lab.run(['timeout', '5', 'bash', '-c', "exec 3<>/dev/tcp/127.0.0.1/18099; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3"]).stdout;
    expect(page).toBe('hello from minke\n');
    await settle();
  });
});
