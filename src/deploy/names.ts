import { createHash } from 'node:crypto';

/** Repository of a service's images: small letters alone, and another one for each service. */
function repository(service: string): string {
  const plain = service.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '');
  return `osbuild-deploy/${plain === service ? plain : `${plain === '' ? 'service' : plain}-${createHash('sha256').update(service).digest('hex').slice(0, 8)}`}`;
}

/** The image that a context makes: where it is there, nothing has to be built. */
export const contextTag = (service: string, digest: string): string => `${repository(service)}:context-${digest}`;

/** The image as compose files name it: another name for another image, so that a compose file changes what runs all at once. */
export const imageName = (service: string, id: string): string => `${repository(service)}:${id.replace(/^sha256:/, '').slice(0, 24)}`;

/** Names of images of deploys that no deploy needs any more. */
export const unusedImages = (names: readonly string[], keep: ReadonlySet<string>): string[] => names.filter((name) => name.startsWith('osbuild-deploy/') && !keep.has(name));
