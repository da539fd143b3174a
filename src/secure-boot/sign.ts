import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { checkedVerity } from '../engine/verity/index.ts';
import { openTarRoot, packaged } from '../image/index.ts';
import { OsbuildError, type StepContext } from '../model/index.ts';
import { isSignedBy, signProgram } from './authenticode.ts';
import type { Signer } from './cms.ts';
import { assembleUnifiedKernel, checkStub, slotProfiles, type KernelProfile } from './unified-kernel.ts';

type Context = StepContext<'secure-boot/sign'>;

/** Makes what the firmware starts: the boot loader and the unified kernel, each signed, and read again as a firmware reads it. `keyFile`: the private key, which nothing but this step opens. */
export async function buildSigned(context: Context, keyFile: string | undefined): Promise<void> {
  const { certificate, os, loader, stub } = context.args;
  const signer = await readSigner(keyFile, certificate);
  const [stubProgram, loaderProgram] = bootPrograms(context, [stub, loader]);
  checkStub(stubProgram, stub);
  const { kernelVersion } = JSON.parse(await readFile(context.input('initrdReport'), 'utf8')) as { kernelVersion: string };
  const [kernel, initrd] = await Promise.all([readFile(context.input('kernel')), readFile(context.input('initrd'))]);
  const unified = assembleUnifiedKernel(stubProgram, { os, kernelVersion, kernel, initrd, profiles: await profilesOf(context) });
  for (const [name, program] of [['kernel.efi', unified], ['loader.efi', loaderProgram]] as const) {
    const signed = signProgram(program, signer);
    if (!isSignedBy(signed, signer.certificate)) throw new Error(`the signature of ${name} does not fit it`);
    await writeFile(context.output(name), signed);
  }
}

/** A slot's kernel has the hash of its root inside; a flasher's has no slot. */
async function profilesOf(context: Context): Promise<KernelProfile[]> {
  const { commandLine, slots, os } = context.args;
  if (!slots) return [{ id: 'flasher', title: os.name, commandLine }];
  const verity = checkedVerity(JSON.parse(await readFile(context.input('verity'), 'utf8')) as Record<string, unknown>);
  if (verity === undefined) throw new Error('verity.json holds no parameters of a hash tree');
  return slotProfiles(commandLine, verity);
}

function bootPrograms(context: Context, files: readonly [string, string]): [Buffer, Buffer] {
  const root = openTarRoot(context.input('bootLoader'));
  try {
    const members = [...root.entries.values()].flatMap(({ path }) => (root.find(path)?.type === 'file' ? [path] : []));
    const read = (file: string): Buffer => root.read(packaged(members, context.args.package, file));
    return [read(files[0]), read(files[1])];
  } finally {
    root.close();
  }
}

async function readSigner(keyFile: string | undefined, certificatePem: string): Promise<Signer> {
  if (keyFile === undefined) throw new Error('a step signs, and the project names no key');
  const certificate = new X509Certificate(certificatePem);
  const key = createPrivateKey(await readFile(keyFile, 'utf8'));
  // It was looked at when the build was planned, and may have been exchanged since.
  if (!certificate.checkPrivateKey(key)) throw new OsbuildError('OSB_CONFIG_INVALID', `${keyFile} is not the key of the certificate any more.`, { hint: 'secureBoot.key and secureBoot.certificate in build.config.yaml belong together' });
  return { certificate: certificate.raw, key };
}
