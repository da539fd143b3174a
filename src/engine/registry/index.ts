// Purpose: the client's side of the registry protocol: manifests, blobs, tags and logins over HTTP(S).
// Owns: challenges and tokens, endpoints and mirrors, redirects, retries, transfers that go on where they broke off.
// Must not: know the image store, or Docker's API.
export { decodeAuthHeader, NO_CREDENTIALS, type Credentials } from './credentials.ts';
export { planEndpoints, type Endpoint, type RegistrySettings } from './endpoints.ts';
export type { ProxySettings } from './proxy.ts';
export { isTransient, RegistryError } from './registry-error.ts';
export { parseManifest, type Descriptor, type ImageManifest, type ManifestDocument, type ManifestIndex } from './manifest.ts';
export { openBlob, type BlobProgress } from './blob-source.ts';
export { findBlob, mountBlob, uploadBlob, uploadBytes, type UploadContent, type UploadOptions, type UploadSource } from './blob-upload.ts';
export { formatManifest, layerMediaType, putManifest, type PushedBlob, type Referring } from './manifest-upload.ts';
export { addTaggedReferrer, listReferrers, taggedReferrers, type Referrer } from './referrers.ts';
export { fetchDocument } from './document.ts';
export { login } from './login.ts';
export { inspectDistribution, type Distribution } from './distribution.ts';
export { openRepository, type FetchedManifest, type Repository, type RegistryContext } from './repository.ts';
export { parseSearchTerm, searchRegistry, type SearchResult } from './search.ts';
export { tlsFor } from './tls-files.ts';
export { createTransport, type Reply } from './transport.ts';
export { parseUrl } from './url.ts';
