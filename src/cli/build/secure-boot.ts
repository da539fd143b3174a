import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { scanSources, type Project } from '../../config/index.ts';
import { OsbuildError, type Machine, type SecureBoot } from '../../model/index.ts';

const enrolled = ['PK.auth', 'KEK.auth', 'db.auth'] as const;

/** The private key's file, which the step that signs opens and nothing else. */
export const secureBootKey = ({ folder, build }: Project): string | undefined => (build.secureBoot === undefined ? undefined : resolve(folder, build.secureBoot.key));

/** What signs the boot chain of a machine; undefined where nothing does: the project names no key, or another loader than UEFI's starts the board. @throws OSB_CONFIG_INVALID */
export async function readSecureBoot({ folder, build }: Project, machine: Machine): Promise<SecureBoot | undefined> {
  if (build.secureBoot === undefined || machine.boot.method !== 'systemd-boot') return undefined;
  const { key, certificate: file, enroll } = build.secureBoot;
  const certificate = await parsed(resolve(folder, file), 'certificate', (text) => new X509Certificate(text));
  const privateKey = await parsed(resolve(folder, key), 'key', (text) => createPrivateKey(text));
  if (privateKey.asymmetricKeyType !== 'rsa') throw invalid(`secureBoot.key of build.config.yaml is a key of type ${privateKey.asymmetricKeyType}`, 'firmware knows RSA alone, of 2048 bits for certain');
  if (!certificate.checkPrivateKey(privateKey)) throw invalid(`secureBoot.certificate of build.config.yaml is not that of secureBoot.key`, `${file} and ${key} have to be a pair`);
  const now = new Date();
  if (new Date(certificate.validTo) < now) throw invalid(`${file} was valid until ${certificate.validTo}`, 'most firmware does not look at that; make a new one all the same, or take it out of build.config.yaml');
  return {
    certificate: certificate.toString(),
    fingerprint: createHash('sha256').update(certificate.raw).digest('hex'),
    ...(enroll === undefined ? {} : { enroll: await enrolment(resolve(folder, enroll), enroll) }),
  };
}

async function enrolment(root: string, named: string): Promise<NonNullable<SecureBoot['enroll']>> {
  const files = await scanSources(root, (path) => !(enrolled as readonly string[]).includes(path)).catch((cause: unknown) => {
    throw invalid(`${named} cannot be read, and secureBoot.enroll in build.config.yaml names it`, '`osbuild key secure-boot` makes such a folder', cause);
  });
  const lacking = enrolled.filter((name) => !files.some(({ path }) => path === name));
  if (lacking.length > 0) throw invalid(`${named} lacks ${lacking.join(', ')}, and secureBoot.enroll in build.config.yaml names it`, '`osbuild key secure-boot` makes such a folder');
  return { root, files };
}

async function parsed<T>(file: string, what: 'key' | 'certificate', parse: (text: string) => T): Promise<T> {
  try {
    return parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw invalid(`${file} cannot be read as a ${what}, and secureBoot.${what} in build.config.yaml names it`, '`osbuild key secure-boot` makes both, as PEM files. A key with a passphrase is of no use to a build.', cause);
  }
}

const invalid = (message: string, hint: string, cause?: unknown): OsbuildError => new OsbuildError('OSB_CONFIG_INVALID', message, { hint, ...(cause === undefined ? {} : { cause }) });
