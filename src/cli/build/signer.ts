import { createHash, createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { OsbuildError, type ReleaseSigner } from '../../model/index.ts';

/** A private key that signs releases, told apart from others by its public half. @throws OSB_CONFIG_INVALID */
export async function readSigner(file: string): Promise<ReleaseSigner> {
  let publicKey;
  try {
    publicKey = createPublicKey(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `${file} cannot be read as a key, and updates.signWith in build.config.yaml names it.`, { hint: '`osbuild key new <name>` makes one. A key with a passphrase is of no use to a build.', cause });
  }
  const { asymmetricKeyType: type } = publicKey;
  if (type !== 'rsa' && type !== 'ec') throw new OsbuildError('OSB_CONFIG_INVALID', `${file} is a key of type ${type}, which devices cannot check.`, { hint: 'RSA gives the same bytes for the same release, ECDSA new ones each time; both work.' });
  return { file, publicKey: createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('hex') };
}
