import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';

import { OsbuildError } from '../model/index.ts';
import { connectHost, type HostAddress, type HostConnection, type HostLogin } from '../remote/index.ts';
import type { Invocation, OptionSpec } from './command.ts';

/** [user@]host[:port]; null where it is none. */
export function parseSshAddress(word: string, usual: { user: string; port: number }): HostAddress | null {
  const found = /^(?:([A-Za-z0-9._][A-Za-z0-9._-]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::(\d{1,5}))?$/.exec(word);
  const port = Number(found?.[3] ?? usual.port);
  if (found?.[2] === undefined || port < 1 || port > 65_535) return null;
  return { host: found[2].replaceAll(/[[\]]/g, ''), port, user: found[1] ?? usual.user };
}

export function callerHome({ hostEnvironment }: Pick<Invocation, 'hostEnvironment'>): string {
  return hostEnvironment['HOME'] ?? userInfo().homedir;
}

/** Keys as ssh(1) looks for them. */
export const usualIdentities = (home: string): string[] => ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(home, '.ssh', name));

/** Known hosts and agent of the caller, with these keys. */
export function hostLogin(invocation: Pick<Invocation, 'hostEnvironment' | 'sshAgent'>, identities: string[]): HostLogin {
  const { sshAgent } = invocation;
  return { knownHosts: [join(callerHome(invocation), '.ssh/known_hosts'), '/etc/ssh/ssh_known_hosts'], identities, ...(sshAgent === undefined ? {} : { agent: sshAgent }) };
}

export const hostOptions = {
  identity: { type: 'string', value: 'file', help: 'private key for --host (default: the agent, then ~/.ssh/id_*)' },
} as const satisfies Record<string, OptionSpec>;

/** Where SSH of a device answers (recipes/dropbear). */
const device = { user: 'root', port: 22_222 };

/** Connects to the device that --host names. Throws OSB_USAGE, OSB_REMOTE_HOST. @param lost what to do when the connection breaks */
export async function connectDevice(invocation: Invocation, word: string, lost: string): Promise<HostConnection> {
  const { flags, signal } = invocation;
  const address = parseSshAddress(word, device);
  if (address === null) throw new OsbuildError('OSB_USAGE', `--host "${word}" is no address`, { hint: `[user@]host[:port]; the user is ${device.user} and the port ${device.port} unless it says otherwise` });
  const identity = flags.text('identity');
  if (identity !== undefined) await access(identity, constants.R_OK).catch((cause: Error) => {
    throw new OsbuildError('OSB_USAGE', `cannot read the key ${identity}`, { hint: cause.message, cause });
  });
  return connectHost(
    address,
    {
      ...hostLogin(invocation, identity === undefined ? usualIdentities(callerHome(invocation)) : [identity]),
      withoutKey: true,
      advice: { otherKey: 'a file can be named with --identity', letIn: 'put your public key into os.sshKeys of its config.json, or name the private one with --identity', lost, showKey: 'dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key' },
    },
    signal,
  );
}
