import type { SeccompProfile } from './profile.ts';

/** A profile that lets programs do what another one does, but for one request of ioctl(2), which fails as its default says. */
export function refuseIoctl(profile: SeccompProfile, request: number): SeccompProfile {
  // Of two rules for one call the one without conditions counts alone.
  const others = profile.syscalls.map((rule) => (rule.names?.includes('ioctl') === true ? { ...rule, names: rule.names.filter((name) => name !== 'ioctl') } : rule));
  return { ...profile, syscalls: [...others, { names: ['ioctl'], action: 'SCMP_ACT_ALLOW', args: [{ index: 1, value: request, op: 'SCMP_CMP_NE' }] }] };
}
