import { describeBoots } from './boot-test.ts';

// Four emulated processors and a real boot chain take four minutes to start: what runs the same on qemuarm64 is tried there.
await describeBoots('raspberrypi3-64', 'start');
