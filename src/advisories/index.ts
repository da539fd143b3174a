// Purpose: what is known to be wrong with the packages of an image.
// Owns: the order of Debian's versions, Debian's security tracker's data, which of its issues an image has.
// Must not: build anything, or touch the network.
export { openIssues, type ImagePackage, type OpenIssue } from './issues.ts';
export { readTracker, urgencies, type Tracker, type Urgency } from './tracker.ts';
export { compareDebianVersions } from './version.ts';
