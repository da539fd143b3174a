import { concat, text } from 'host:bytes';
import { EngineError, systemErrorCode } from '../../error.ts';
import type { ByteSource, Cancellation, System } from '../../ports/index.ts';
import type { RegistrySettings } from '../../registry/index.ts';
import { checkCancelled } from '../file-tree.ts';
import type { GitAddress } from './git-address.ts';

export interface Checkout {
  /** The commit's full name. */
  commit: string;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const SAID_LIMIT_BYTES = 4096;
/** Nothing of this machine's settings counts, no hook runs, and what a repository names is fetched over the network alone. */
const SETTINGS = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'advice.detachedHead=false', 'init.defaultBranch=main', 'protocol.ext.allow=never', 'protocol.file.allow=never'];

/**
 * Brings one commit of a repository into an empty folder, with its submodules, by the host's git: its protocols, packs and keys are a world of their
 * own. Throws 'not-implemented' where there is none.
 */
export async function checkOut(system: System, proxies: RegistrySettings['proxies'], address: GitAddress, folder: string, keepGitFolder: boolean, gone: Cancellation): Promise<Checkout> {
  const { files, processes } = system;
  const program = processes.find('git');
  if (program === undefined) {
    throw new EngineError('not-implemented', 'GIT_MISSING', `${address.url} is a git repository, and there is no git program where the daemon runs`, { hint: 'install git there; or clone the repository on a machine that has it and build the folder: git clone …, minke -H … build FOLDER' });
  }
  const env = {
    PATH, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_ATTR_NOSYSTEM: '1', GIT_ALLOW_PROTOCOL: 'http:https:git:ssh', GIT_PROTOCOL_FROM_USER: '0',
    GIT_ASKPASS: '/bin/false', GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
    ...(proxies.http === '' ? {} : { http_proxy: proxies.http }), ...(proxies.https === '' ? {} : { https_proxy: proxies.https }), ...(proxies.exceptions === '' ? {} : { no_proxy: proxies.exceptions }),
  };
  const git = async (...argv: string[]): Promise<{ code: number; said: string; stdout: string }> => {
    checkCancelled(gone);
    const child = processes.spawn({ argv: [program, '-C', folder, ...SETTINGS.flatMap((setting) => ['-c', setting]), ...argv], env, stdio: ['null', 'pipe-out', 'pipe-out'], newSession: true });
    const forget = gone.onCancel(() => void processes.kill(child.pid, 15));
    try {
      const [stdout, said, code] = await Promise.all([lastOf(child.streams[1]), lastOf(child.streams[2]), child.wait()]);
      checkCancelled(gone);
      return { code, stdout: stdout.trim(), said: said.trim() };
    } finally {
      forget();
    }
  };
  const failed = (said: string): EngineError => new EngineError('invalid', 'GIT_FAILED', `cannot fetch ${withoutPassword(address.url)}${address.ref === '' ? '' : `#${address.ref}`}: ${withoutPassword(said.split('\n').filter((line) => line !== '').at(-1) ?? 'git failed')}`);
  const must = async (...argv: string[]): Promise<string> => {
    const { code, said, stdout } = await git(...argv);
    if (code !== 0) throw failed(said);
    return stdout;
  };

  await must('init', '--quiet', '--template=');
  const ref = address.ref || 'HEAD';
  const shallow = await git('fetch', '--quiet', '--depth=1', '--no-tags', '--no-recurse-submodules', '--', address.url, ref);
  let commit = shallow.code === 0 ? await must('rev-parse', '--verify', '--quiet', 'FETCH_HEAD^{commit}') : undefined;
  if (commit === undefined) {
    // Servers that give single commits to nobody, or no part of a history; and names of commits that are cut short.
    const whole = await git('fetch', '--quiet', '--update-head-ok', '--no-recurse-submodules', '--', address.url, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*', '+HEAD:refs/minke/head');
    if (whole.code !== 0) throw failed(whole.said || shallow.said);
    const found = await git('rev-parse', '--verify', '--quiet', '--end-of-options', `${address.ref === '' ? 'refs/minke/head' : address.ref}^{commit}`);
    if (found.code !== 0) throw failed(shallow.said);
    commit = found.stdout.split('\n').at(-1) ?? '';
  }
  if (!/^[0-9a-f]{40,64}$/.test(commit)) throw failed('git names no commit');
  await must('checkout', '--quiet', '--force', '--detach', commit);
  if (files.exists(`${folder}/.gitmodules`)) {
    await must('remote', 'add', 'origin', address.url);
    await must('submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1');
  }
  if (!keepGitFolder) await removeGitFolders(system, folder);
  return { commit };
}

/** Where the folder that the address names stands; links of the repository lead nowhere out of it. */
export function folderWithin({ files }: System, checkout: string, { folder, url }: GitAddress): string {
  if (folder === '') return checkout;
  const root = files.openRoot(checkout);
  try {
    const inside = root.resolve(`/${folder}`);
    if (root.stat(inside).type === 'directory') return inside === '/' ? checkout : `${checkout}${inside}`;
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemErrorCode(error) ?? '')) throw error;
  } finally {
    root.close();
  }
  throw new EngineError('invalid', 'GIT_FOLDER', `there is no folder ${JSON.stringify(folder)} in ${withoutPassword(url)}`);
}

/** That of the repository; a submodule has a file of that name. */
async function removeGitFolders({ files }: System, folder: string): Promise<void> {
  const hadModules = files.exists(`${folder}/.git/modules`);
  await files.removeTree(`${folder}/.git`);
  if (!hadModules) return;
  const root = files.openRoot(folder);
  try {
    for (const pending = ['/']; pending.length > 0; ) {
      const place = pending.pop() ?? '';
      for (const { name, type } of root.readdir(place)) {
        const path = `${place === '/' ? '' : place}/${name}`;
        if (name === '.git' && type === 'file') root.unlink(path);
        else if (type === 'directory') pending.push(path);
      }
    }
  } finally {
    root.close();
  }
}

/** The end of what a program says; the rest is read and forgotten. */
async function lastOf(source: ByteSource | null | undefined): Promise<string> {
  let kept: Uint8Array = new Uint8Array(0);
  for (let part = await source?.read(); part !== null && part !== undefined; part = await source?.read()) {
    const all = concat([kept, part]);
    kept = all.subarray(Math.max(0, all.length - SAID_LIMIT_BYTES));
  }
  return text(kept);
}

function withoutPassword(said: string): string {
  return said.replaceAll(/\/\/[^@/\s]*@/g, '//');
}
