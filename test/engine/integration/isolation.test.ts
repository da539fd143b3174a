import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, labFile, leftovers } from '../support/lab.ts';

describeLab('what a container may ask of the kernel', (lab) => {
  const sh = (script: string, ...options: string[]): string => lab.ok('run', '--rm', ...options, IMAGE, 'sh', '-c', `(${script}) 2>&1`);
  const REFUSED = /not permitted/;

  it('is filtered by default, also in an exec, and says so', () => {
    expect(lab.ok('info', '--format', '{{json .SecurityOptions}}')).toContain('name=seccomp,profile=builtin');
    expect(sh('grep Seccomp: /proc/self/status | cut -f2')).toBe('2');
    const id = lab.ok('run', '-d', IMAGE, 'sleep', '100');
    expect(lab.ok('exec', id, 'grep', '-c', '^Seccomp:.2', '/proc/self/status')).toBe('1');
    lab.ok('rm', '-f', id);
    expect(sh('grep Seccomp: /proc/self/status | cut -f2', '--privileged')).toBe('0');
  });

  it('refuses new namespaces, which need no capability, and grants them with CAP_SYS_ADMIN or without a filter', () => {
    expect(sh('unshare -U true || true')).toMatch(REFUSED);
    expect(sh('unshare -U true && echo made', '--security-opt', 'seccomp=unconfined')).toBe('made');
    expect(sh('unshare -m true && echo made', '--cap-add', 'SYS_ADMIN')).toBe('made');
  });

  it('leaves ordinary programs alone', () => {
    const script =
      'linux32 true && chroot / true && mkfifo /f && (echo x > /f &) ; cat /f; mknod /n c 1 3 && chown app /n && ln -s a b && su app -c id >/dev/null && sync && setsid true && ping -c1 127.0.0.1 | grep -c ttl= && echo fine';
    expect(sh(script)).toBe('x\n1\nfine');
  });

  it('applies a profile from a file, and refuses one that is not', () => {
    const profile = labFile(lab, 'profile.json', JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }] }));
    expect(sh('mkdir /x || true; unshare -U true && echo made', '--security-opt', `seccomp=${profile}`)).toMatch(/not permitted\nmade$/);
    expect(lab.docker('run', '--rm', '--security-opt', `seccomp=${labFile(lab, 'bad.json', '{"defaultAction":"maybe"}')}`, IMAGE, 'true').stderr).toContain('unknown defaultAction');
    expect(leftovers(lab)).toEqual([]);
  });
});
