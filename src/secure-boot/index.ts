// Purpose: what a firmware with Secure Boot starts: unified kernels, their signatures, and the variables that hold the keys.
// Owns: PE sections, Authenticode, EFI signature lists, the form of keys and certificates.
// Must not: know slots beyond their command lines, let a private key out of the step that signs.
import type { Executors } from '../model/index.ts';
import { buildSigned } from './sign.ts';

export { imageDigest, isSignedBy, signProgram } from './authenticode.ts';
export { certificatePem, makeCertificate } from './certificate.ts';
export type { Signer } from './cms.ts';
export { authenticatedVariable, signatureList, type KeyVariable } from './signature-list.ts';

/** `key`: the project's private key, a file; undefined where it signs nothing. */
export function createSecureBootExecutors({ key }: { key?: string | undefined }): Pick<Executors, 'secure-boot/sign'> {
  return { 'secure-boot/sign': { version: 1, run: (context) => buildSigned(context, key) } };
}
