import { describe, expect, it } from 'vitest';
import { flagText, helpText, parseArguments, parseConfigFile, resolveSettings } from '../../../src/engine/daemon/options.ts';
import { findGroup, planListeners } from '../../../src/engine/daemon/listeners.ts';
import type { Files } from '../../../src/engine/ports/index.ts';

const settle = (argv: string[], file = '{}') => resolveSettings(parseConfigFile(file, 'daemon.json'), parseArguments(argv).given);

describe('daemon options', () => {
  it('have Docker’s names, short and long', () => {
    const settings = settle(['-H', 'unix:///a', '--host=tcp://127.0.0.1:2375', '-D', '--data-root', '/d/', '-p', '/pid', '--bip=10.0.0.1/16', '--dns', '10.0.0.1', '--ip-forward=false', '--storage-driver', 'overlay2']);
    expect(settings).toMatchObject({ hosts: ['unix:///a', 'tcp://127.0.0.1:2375'], logLevel: 'debug', dataRoot: '/d', pidFile: '/pid', bridgeAddress: '10.0.0.1/16', dns: ['10.0.0.1'], ipForward: false });
    expect(flagText(parseArguments(['--config-file', '/x']).given, 'config-file')).toBe('/x');
  });

  it('come from the file under the same names', () => {
    expect(settle([], '{"hosts":["fd://"],"debug":true,"dns":["1.1.1.1"],"insecure-registries":["r:5000"],"mtu":1400,"live-restore":false}')).toMatchObject({
      hosts: ['fd://'], logLevel: 'debug', dns: ['1.1.1.1'], insecureRegistries: ['r:5000'], mtu: 1400, liveRestore: false,
    });
    expect(settle([]).mtu).toBeUndefined();
  });

  it.each([
    [['--dat-root', '/x'], 'unknown flag: --dat-root', 'did you mean --data-root?'],
    [['--zzzzzzzz'], 'unknown flag: --zzzzzzzz', 'minke daemon --help lists them'],
    [['run'], 'unexpected argument "run"', 'minke daemon takes flags only'],
    [['--host'], 'flag needs an argument: --host', undefined],
    [['--bridge', 'a', '--bridge', 'b'], '--bridge is given twice', undefined],
    [['--debug=maybe'], '--debug: "maybe" is neither true nor false', undefined],
    [['--mtu', 'big'], '--mtu: "big" is not a whole number', undefined],
    [['--host', 'http://x'], 'invalid host "http://x"', 'unix:///path, tcp://address:port and fd:// are understood'],
    [['--data-root', 'relative'], '--data-root must be an absolute path, not "relative"', undefined],
    [['--data-root', '/a:b'], "--data-root must not contain blanks, colons, commas or backslashes: the kernel's mount options cannot carry them", undefined],
    [['--bip', '10.0.0.1'], 'invalid bridge address "10.0.0.1"', 'write it like 10.114.101.1/24, with a prefix between 8 and 30'],
    [['--dns', 'resolver'], '"resolver" is not an IP address', 'a DNS server is named by its address'],
    [['-s', 'btrfs'], '--storage-driver: "btrfs" is not supported', 'use overlay2, overlay'],
  ])('%j is refused', (argv, message, hint) => {
    expect(() => settle(argv)).toThrow(expect.objectContaining({ message, ...(hint === undefined ? {} : { hint }) }) as Error);
  });

  it.each([
    ['{', 'daemon.json is not valid JSON'],
    ['[]', 'daemon.json must hold an object'],
    ['{"host":["x"]}', 'unknown key "host"'],
    ['{"dns":"1.1.1.1"}', '"dns" must be a list of strings'],
    ['{"debug":"yes"}', '"debug" must be a boolean'],
    ['{"config-file":"/x"}', 'unknown key "config-file"'],
  ])('the file %s is refused', (file, message) => {
    expect(() => settle([], file)).toThrow(message);
  });

  it('may not be in both places', () => {
    expect(() => settle(['--dns', '1.1.1.1'], '{"dns":["2.2.2.2"]}')).toThrow('--dns is given as a flag and in the configuration file');
  });

  it('are all listed in the help', () => {
    expect(helpText()).toContain('--registry-mirror list');
  });
});

describe('listeners', () => {
  it('come from hosts and activation', () => {
    expect(planListeners(['fd://', 'unix:///a', 'tcp://:2375', 'tcp://[::1]:1'], [3, 4], 7)).toEqual([
      { kind: 'fd', fd: 3 }, { kind: 'fd', fd: 4 }, { kind: 'unix', path: '/a', mode: 0o660, groupId: 7 }, { kind: 'tcp', address: '0.0.0.0', port: 2375 }, { kind: 'tcp', address: '::1', port: 1 },
    ]);
    expect(() => planListeners(['fd://'], [], undefined)).toThrow('no sockets found via socket activation');
  });

  it('belong to a group that there is', () => {
    const files = { exists: () => true, readText: () => 'root:x:0:\ndocker:x:998:\nbroken\n' } as unknown as Files;
    expect([findGroup(files, 'docker'), findGroup(files, 'none'), findGroup(files, ''), findGroup(files, '12')]).toEqual([998, undefined, undefined, 12]);
  });
});
