// Purpose: which system calls a container may make.
// Owns: the default profile, the profile format of --security-opt seccomp=FILE.
// Must not: know containers, or do anything.
export { DEFAULT_PROFILE } from './default-profile.ts';
export { refuseIoctl } from './refuse-ioctl.ts';
export { parseProfile, resolveProfile, type SeccompFacts, type SeccompProfile } from './profile.ts';
