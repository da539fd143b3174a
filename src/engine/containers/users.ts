import { EngineError } from '../error.ts';
import type { Root } from '../ports/index.ts';

export interface ResolvedUser {
  uid: number;
  gid: number;
  groups: number[];
  home: string;
}

interface PasswdLine {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

const ID_LIMIT = 2 ** 31 - 1;

/** 'user', 'uid', 'user:group', 'uid:gid', '' (root), looked up in the container's own files. Throws 'invalid'. */
export function resolveUser(wanted: string, extraGroups: readonly string[], passwd: string, group: string): ResolvedUser {
  const colon = wanted.indexOf(':');
  const userPart = colon < 0 ? wanted : wanted.slice(0, colon);
  const groupPart = colon < 0 ? '' : wanted.slice(colon + 1);
  const users = parsePasswd(passwd);
  const groups = parseGroups(group);
  const numeric = parseId(userPart);
  const user = userPart === '' ? users.find(({ uid }) => uid === 0) : (users.find(({ name }) => name === userPart) ?? users.find(({ uid }) => uid === numeric));
  const uid = user?.uid ?? (userPart === '' ? 0 : numeric);
  if (uid === undefined) throw new EngineError('invalid', 'USER_UNKNOWN', `unable to find user ${userPart}: no matching entries in passwd file`);
  const findGroup = (name: string): number => {
    const gid = groups.find((candidate) => candidate.name === name)?.gid ?? parseId(name);
    if (gid === undefined) throw new EngineError('invalid', 'GROUP_UNKNOWN', `unable to find group ${name}: no matching entries in group file`);
    return gid;
  };
  const gid = groupPart === '' ? (user?.gid ?? 0) : findGroup(groupPart);
  const memberships = groupPart === '' && user !== undefined ? groups.filter(({ members }) => members.includes(user.name)).map((entry) => entry.gid) : [];
  const all = new Set([gid, ...memberships, ...extraGroups.map(findGroup)]);
  return { uid, gid, groups: [...all], home: user?.home || '/' };
}

function parsePasswd(text: string): PasswdLine[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
    return name === '' || parseId(uid) === undefined ? [] : [{ name, uid: Number(uid), gid: parseId(gid) ?? 0, home }];
  });
}

function parseGroups(text: string): { name: string; gid: number; members: string[] }[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gid = '', members = ''] = line.split(':');
    return name === '' || parseId(gid) === undefined ? [] : [{ name, gid: Number(gid), members: members.split(',') }];
  });
}

function parseId(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= ID_LIMIT ? Number(text) : undefined;
}

/** A user by the container's own passwd and group files, which come from an image and may be missing. */
export function userOf(root: Root, wanted: string, groups: readonly string[]): ResolvedUser {
  const read = (path: string): string => {
    try {
      return root.readText(path, 4 * 1024 * 1024);
    } catch {
      return '';
    }
  };
  return resolveUser(wanted, groups, read('/etc/passwd'), read('/etc/group'));
}
