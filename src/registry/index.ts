// Purpose: registries of container images as the builder speaks with them (OCI distribution 1.1): what they hold, and what is put there.
// Owns: names of images, logins, transfers that go on after a failure, digests, lists of referrers.
// Must not: know what an image is for; read the environment.
export { isLoopback } from './connection.ts';
export { readLogin, type Login } from './login.ts';
export { formatImageName, parseImageName, type ImageName } from './name.ts';
export { addReferrer } from './referrers.ts';
export { openRepository, type Blob, type Descriptor, type Manifest, type Repository, type RepositorySettings } from './repository.ts';
