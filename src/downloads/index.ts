// Purpose: brings files whose SHA-256 is known, from wherever they are to be had.
// Owns: transfers that go on where they stopped, verification, mirrors that keep files by their digest, the step download/files.
// Must not: decide which files an image needs; believe a server.
export { download, GoneError, type DownloadSettings, type Wanted, type Words } from './download.ts';
export { createDownloadExecutors, fileFetchDefaults, isAddress, type FileFetchSettings } from './files.ts';
export { planFiles } from './plan.ts';
