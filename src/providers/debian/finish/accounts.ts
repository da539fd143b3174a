import { OsbuildError } from '../../../model/index.ts';

export interface User {
  name: string;
  uid: number;
  gid: number;
  comment: string;
  home: string;
  shell: string;
}

export interface Group {
  name: string;
  gid: number;
  members: string[];
}

/** Users and groups of an image, by name, in the order of their files. */
export interface Accounts {
  users: Map<string, User>;
  groups: Map<string, Group>;
}

/** Where one sysusers.d(5) line comes from, for messages. */
export interface SysusersLine {
  text: string;
  origin: string;
}

/** Numbers for accounts that ask for none: below the range of people, above those that Debian hands out fixedly. */
const dynamicRange = { from: 300, to: 998 };

/** Reads passwd(5) and group(5). */
export function parseAccounts(passwd: string, group: string): Accounts {
  const users = new Map<string, User>();
  for (const line of lines(passwd)) {
    const [name = '', , uid = '', gid = '', comment = '', home = '', shell = ''] = line.split(':');
    users.set(name, { name, uid: Number(uid), gid: Number(gid), comment, home, shell });
  }
  const groups = new Map<string, Group>();
  for (const line of lines(group)) {
    const [name = '', , gid = '', members = ''] = line.split(':');
    groups.set(name, { name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') });
  }
  return { users, groups };
}

/**
 * Adds what sysusers.d lines ask for. A number that nobody fixes is derived from the name, so that it stays the same when
 * packages come and go: files on the state partition outlive the image that made them.
 * @throws OSB_CONFIG_INVALID for a line that cannot be understood or a number that is taken
 */
export function applySysusers(accounts: Accounts, given: SysusersLine[]): void {
  const parsed = given.flatMap((line) => {
    const words = splitWords(line.text);
    const [type = '', name = '', id = '-', comment = '', home = '', shell = ''] = words;
    if (!/^(u!?|g|m|r)$/.test(type) || (type !== 'r' && !/^[a-zA-Z_][\w.-]*$/.test(name))) {
      throw new OsbuildError('OSB_CONFIG_INVALID', `${line.origin}: not a line of sysusers.d(5): ${line.text}`, { hint: 'Such as: u _name - "Description" /var/lib/name' });
    }
    return type === 'r' ? [] : [{ type: type.slice(0, 1), name, id: dash(id) ? '-' : id, comment: dash(comment) ? '' : comment, home: dash(home) ? '' : home, shell: dash(shell) ? '' : shell, origin: line.origin }];
  });
  const memberships = parsed.filter(({ type }) => type === 'm');
  // Fixed numbers first, so that a derived one never takes their place; then groups, users, and users of a group that
  // those bring; each by name, whatever file they stand in.
  const rank = ({ type, id }: { type: string; id: string }): number => (/^\d/.test(id) ? 0 : type === 'g' ? 1 : id === '-' ? 2 : 3);
  const order = parsed.filter(({ type }) => type !== 'm').toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.type < b.type ? -1 : 1));
  for (const { type, name, id, comment, home, shell, origin } of order) {
    const [own = '-', groupPart] = id.split(':');
    const fixed = /^\d+$/.test(own) ? Number(own) : null;
    if (type === 'g') {
      if (!accounts.groups.has(name)) addGroup(accounts, name, fixed ?? freeNumber(accounts, name), origin);
      continue;
    }
    if (accounts.users.has(name)) continue;
    const named = groupPart !== undefined && !/^\d+$/.test(groupPart) && groupPart !== '-' ? accounts.groups.get(groupPart) : undefined;
    if (named === undefined && groupPart !== undefined && !/^(\d+|-)$/.test(groupPart)) {
      throw new OsbuildError('OSB_CONFIG_INVALID', `${origin}: user ${name} belongs to group ${groupPart}, which the image does not have.`, { hint: `Add a line: g ${groupPart} -` });
    }
    const uid = fixed ?? freeUser(accounts, name, accounts.groups.get(name)?.gid);
    let gid = named?.gid ?? (groupPart !== undefined && /^\d+$/.test(groupPart) ? Number(groupPart) : accounts.groups.get(name)?.gid);
    if (gid === undefined) {
      gid = [...accounts.groups.values()].some((group) => group.gid === uid) ? freeNumber(accounts, name) : uid;
      addGroup(accounts, name, gid, origin);
    }
    const other = [...accounts.users.values()].find((user) => user.uid === uid);
    if (other !== undefined) throw new OsbuildError('OSB_CONFIG_INVALID', `${origin}: user ${name} asks for number ${uid}, which is ${other.name}'s.`, { hint: 'Leave the number out (-), and one is derived from the name.' });
    accounts.users.set(name, { name, uid, gid, comment, home: home === '' ? '/' : home, shell: shell === '' ? (uid === 0 ? '/bin/bash' : '/usr/sbin/nologin') : shell });
  }
  for (const { name, id, origin } of memberships) {
    if (!accounts.users.has(name)) applySysusers(accounts, [{ text: `u ${name} -`, origin }]);
    if (!accounts.groups.has(id)) addGroup(accounts, id, freeNumber(accounts, id), origin);
    const group = accounts.groups.get(id);
    if (group !== undefined && !group.members.includes(name)) group.members = [...group.members, name].toSorted();
  }
}

/** Files of /etc by name. Nobody has a password; the day of the last change is the build's epoch. */
export function accountFiles(accounts: Accounts, epoch: number): Record<'passwd' | 'group' | 'shadow' | 'gshadow', string> {
  const day = Math.floor(epoch / 86_400);
  const users = [...accounts.users.values()];
  const groups = [...accounts.groups.values()];
  return {
    passwd: users.map((user) => `${[user.name, 'x', user.uid, user.gid, user.comment, user.home, user.shell].join(':')}\n`).join(''),
    group: groups.map((group) => `${[group.name, 'x', group.gid, group.members.join(',')].join(':')}\n`).join(''),
    shadow: users.map((user) => `${user.name}:${user.uid < 100 || user.uid === 65_534 ? '*' : '!*'}:${day}:${user.uid < 100 || user.uid === 65_534 ? '0:99999:7' : '::'}:::\n`).join(''),
    gshadow: groups.map((group) => `${group.name}:${group.gid < 100 || group.gid === 65_534 ? '*' : '!*'}::${group.members.join(',')}\n`).join(''),
  };
}

/**
 * Numbers of `user` or `user:group`; a user alone takes its own group.
 * @throws OSB_CONFIG_INVALID for a name that the image does not have
 */
export function ownerNumbers(accounts: Accounts, owner: string, origin: string): { uid: number; gid: number } {
  const [userName = '', groupName] = owner.split(':');
  const user = accounts.users.get(userName);
  const group = groupName === undefined ? undefined : accounts.groups.get(groupName);
  if (user === undefined || (groupName !== undefined && group === undefined)) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `${origin}: the image has no ${user === undefined ? `user ${userName}` : `group ${groupName ?? ''}`}.`, {
      hint: 'Add it to `users` of the recipe, as a line of sysusers.d(5).',
    });
  }
  return { uid: user.uid, gid: group?.gid ?? user.gid };
}

function addGroup(accounts: Accounts, name: string, gid: number, origin: string): void {
  const other = [...accounts.groups.values()].find((group) => group.gid === gid);
  if (other !== undefined) throw new OsbuildError('OSB_CONFIG_INVALID', `${origin}: group ${name} asks for number ${gid}, which is ${other.name}'s.`, { hint: 'Leave the number out (-), and one is derived from the name.' });
  accounts.groups.set(name, { name, gid, members: [] });
}

/** The group's number when no user has it, otherwise a derived one. */
function freeUser(accounts: Accounts, name: string, groupNumber: number | undefined): number {
  const taken = [...accounts.users.values()].some(({ uid }) => uid === groupNumber);
  return groupNumber !== undefined && !taken ? groupNumber : freeNumber(accounts, name);
}

/** FNV-1a of the name, folded into the range; the next free one below on a collision. */
function freeNumber(accounts: Accounts, name: string): number {
  const taken = new Set([...[...accounts.users.values()].map(({ uid }) => uid), ...[...accounts.groups.values()].map(({ gid }) => gid)]);
  const size = dynamicRange.to - dynamicRange.from + 1;
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  for (let step = 0; step < size; step += 1) {
    const number = dynamicRange.from + ((hash - step + size * 8) % size);
    if (!taken.has(number)) return number;
  }
  throw new OsbuildError('OSB_CONFIG_INVALID', 'More than 600 system accounts: no number is left.');
}

function splitWords(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double?.replaceAll(/\\(.)/g, '$1') ?? single ?? bare ?? '');
}

function dash(word: string): boolean {
  return word === '' || word === '-';
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}
