import { describe, expect, it } from 'vitest';
import { isGitAddress, parseGitAddress } from '../../../src/engine/build/git/git-address.ts';

describe('addresses of repositories', () => {
  it.each([
    'https://host/a.git', 'http://host/a.git#main', 'git://host/a', 'ssh://git@host:2222/a', 'git@host:user/a.git', 'me@host:a', 'github.com/user/a',
  ])('%s is one', (text) => expect(isGitAddress(text)).toBe(true));
  it.each(['https://host/a.tar.gz', 'https://host/a', '.', '-', 'folder', './git@host:x', 'https://host/x.git.tar', 'file:///x.git'])('%s is none', (text) => expect(isGitAddress(text)).toBe(false));

  it.each([
    ['https://host/a.git', { url: 'https://host/a.git', ref: '', folder: '' }],
    ['https://host:8443/a.git#v1.0', { url: 'https://host:8443/a.git', ref: 'v1.0', folder: '' }],
    ['https://user:word@host/a.git#:sub', { url: 'https://user:word@host/a.git', ref: '', folder: 'sub' }],
    ['ssh://git@[fd00::1]:22/a#feature/x:/sub/deep/', { url: 'ssh://git@[fd00::1]:22/a', ref: 'feature/x', folder: 'sub/deep' }],
    ['git@host:user/a.git#main', { url: 'git@host:user/a.git', ref: 'main', folder: '' }],
    ['github.com/user/a#refs/heads/x', { url: 'https://github.com/user/a', ref: 'refs/heads/x', folder: '' }],
  ])('takes %s apart', (text, parts) => expect(parseGitAddress(text)).toEqual(parts));

  it.each([
    'git://-oProxyCommand=x/a', 'ssh://-oProxyCommand=x/a', 'ssh://user@-oProxyCommand=x/a', 'git@-oProxyCommand=x:a', '-x@host:a', 'git@host:-a', '--upload-pack=x@h:a', 'git:///a', 'ssh://host',
    'https://host/a.git#--upload-pack=x', 'https://host/a.git#-x', 'https://host/a.git#a..b', 'https://host/a.git#+a', 'https://host/a.git#a b', 'https://host/a.git#a;b', 'https://host/a.git#a^{/x}', 'https://host/a.git#x.lock',
    'https://host/a.git#main:../x', 'https://host/a.git#main:a/../../x', 'https://ho st/a.git', 'https://host/a\n.git', 'ext::sh -c x', 'file:///a.git',
  ])('refuses %j', (text) => expect(() => parseGitAddress(text)).toThrow('is no address of a repository'));
});
