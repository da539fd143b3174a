import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commands } from '../../../src/engine/cli/commands/index.ts';
import { nearestWord } from '../../../src/engine/cli/nearest.ts';
import { commandReference } from '../../../src/engine/cli/reference.ts';
import { displayPath } from '../../../src/engine/cli/usage.ts';
import { fakeDaemon } from './support/fake-daemon.ts';
import { recordedRoutes } from './support/recorded-engine.ts';
import { runOurCli } from './support/run-cli.ts';

const nowhere = 'unix:///no/such/socket';

describe('the command table', () => {
  it('is free of contradictions', () => {
    const places = commands.flatMap((command) => [command.path, ...(command.aliases ?? [])]).map((path) => path.join(' '));
    expect(places.filter((place, at) => places.indexOf(place) !== at)).toEqual([]);
    for (const command of commands) {
      const names = command.flags.flatMap((flag) => [flag.name, ...(flag.also ?? [])]);
      const shorts = command.flags.flatMap((flag) => (flag.short === undefined ? [] : [flag.short]));
      expect({ path: command.path, names: new Set(names).size, shorts: new Set(shorts).size }).toEqual({ path: command.path, names: names.length, shorts: shorts.length });
    }
  });

  it.each(commands.map((command) => [displayPath(command).join(' '), command] as const))('%s has help', async (name, command) => {
    const { code, stdout } = await runOurCli([...displayPath(command), '--help'], nowhere, { program: 'minke' });
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage:  minke ${name}`);
    for (const flag of command.flags.filter(({ hidden }) => !hidden)) expect(stdout).toContain(`--${flag.name}`);
    expect(stdout.split('\n').every((line) => line.length <= 80 || !line.startsWith('  -'))).toBe(true);
  });

  it('docs/engine/cli.md is up to date (else: node docs/engine/generate.mjs)', () => {
    expect(readFileSync(new URL('../../../docs/engine/cli.md', import.meta.url), 'utf8')).toBe(commandReference());
  });
});

describe('mistakes', () => {
  it.each([
    [['rnu'], "minke: unknown command: minke rnu\n\nDid you mean 'minke run'?\n\nRun 'minke --help' for more information\n", 1],
    [['container', 'lss'], "minke: unknown command: minke container lss\n\nDid you mean 'minke container ls'?\n\nUsage:  minke container\n\nRun 'minke container --help' for more information\n", 1],
    [['ps', '--fromat', 'x'], "unknown flag: --fromat\nDid you mean --format?\n\nUsage:  minke ps [OPTIONS]\n\nRun 'minke ps --help' for more information\n", 125],
    [['--hots', 'x', 'ps'], "unknown flag: --hots\nDid you mean --host?\n\nUsage:  minke [OPTIONS] COMMAND [ARG...]\n\nRun 'minke --help' for more information\n", 125],
    [['ps'], 'Cannot connect to the minke daemon at unix:///no/such/socket. Is the minke daemon running?\n', 1],
    [['run', 'x'], "minke: Cannot connect to the minke daemon at unix:///no/such/socket. Is the minke daemon running?\n\nRun 'minke run --help' for more information\n", 125],
    [['-H', 'foo://x', 'ps'], 'unable to parse host "foo://x": unknown protocol "foo"; use unix:// or tcp://\n', 1],
    [['-c', 'other', 'ps'], 'context "other" does not exist: minke has no contexts; name the daemon with -H or MINKE_HOST\n', 1],
  ])('%j', async (args, stderr, code) => {
    expect(await runOurCli(args, nowhere, { program: 'minke' })).toMatchObject({ code, stderr });
  });
  it.each([['swarm', 'docker-compose'], ['service', 'docker-compose'], ['plugin', 'built in'], ['buildx', 'BuildKit']])('%s names the alternative', async (verb, alternative) => {
    const { code, stderr } = await runOurCli([verb, 'ls'], nowhere, { program: 'minke' });
    expect(code).toBe(1);
    expect(stderr).toContain(`minke: 'minke ${verb}' is not part of minke`);
    expect(stderr).toContain(alternative);
  });
  it('nearest words stay near', () => {
    expect(nearestWord('stpo', ['stop', 'start', 'stats'])).toBe('stop');
    expect(nearestWord('insp', ['inspect', 'images'])).toBe('inspect');
    expect(nearestWord('frobnicate', ['run', 'ps'])).toBeNull();
  });
});

describe('completion', () => {
  const complete = async (words: readonly string[], host = nowhere) => (await runOurCli(['__complete', ...words], host)).stdout.split('\n').filter((word) => word !== '');

  it('offers verbs, the verbs of a group, flags and fixed values', async () => {
    expect(await complete(['st'])).toEqual(['start', 'stats', 'stop']);
    expect(await complete(['volume', ''])).toEqual(['create', 'inspect', 'ls', 'prune', 'rm']);
    expect(await complete(['run', '--net'])).toEqual(['--network', '--network-alias']);
    expect(await complete(['run', '--restart', ''])).toEqual(['no', 'on-failure', 'always', 'unless-stopped']);
    expect(await complete(['run', '--restart=on'])).toEqual(['--restart=on-failure']);
    expect(await complete(['load', '-i', ''])).toEqual([':file']);
    expect(await complete(['load', '--input='])).toEqual([':file']);
    expect(await complete(['completion', ''])).toEqual(['bash', 'fish', 'zsh']);
  });
  it('asks the daemon for names, and is silent without one', async () => {
    const daemon = await fakeDaemon({ routes: recordedRoutes });
    try {
      expect(await complete(['stop', ''], daemon.host)).toEqual(['web', 'other/alias', 'db']);
      expect(await complete(['run', '-it', 'ng'], daemon.host)).toEqual(['nginx:1.27', 'nginx:latest']);
      expect(await complete(['volume', 'rm', 'a'], daemon.host)).toEqual(['a-volume']);
      expect(await complete(['run', '--network', 'b'], daemon.host)).toEqual(['bridge']);
      expect(await complete(['cp', 'we'], daemon.host)).toEqual(['web:', ':file']);
    } finally {
      await daemon.close();
    }
    expect(await complete(['stop', ''])).toEqual([]);
  });
});

describe('versions', () => {
  it('agrees on the older version', async () => {
    const daemon = await fakeDaemon({ routes: recordedRoutes, apiVersion: '1.30' });
    try {
      await runOurCli(['ps'], daemon.host);
      const { stdout } = await runOurCli(['version', '--format', '{{.Client.APIVersion}}'], daemon.host);
      expect(stdout).toBe('1.47\n');
    } finally {
      await daemon.close();
    }
  });
  it('speaks of itself by the name it was called', async () => {
    expect((await runOurCli(['--version'], nowhere)).stdout).toMatch(/^Docker version \d+\.\d+\.\d+\S*, build \S+\n$/);
    expect((await runOurCli(['-v'], nowhere, { program: 'minke' })).stdout).toMatch(/^minke version \d/);
  });
});
