import { OsbuildError } from '../../../model/index.ts';
import type { SharedState } from '../layers/resolve.ts';
import { assignment } from './assignment.ts';

/** A thing of the settings that works, and not as one would think. */
export interface SharedStateWarning {
  code: string;
  message: string;
  hint: string;
}

/**
 * Lines of local.conf for mirrors of shared state, hash equivalence, revisions of packages and signatures. Pure.
 * @throws OSB_CONFIG_INVALID for two hash servers at once
 */
export function sharedStateConf(sstate: SharedState): string {
  const { mirrors = [], s3Endpoint, hashServer, upstreamHashServer, prServer, signatures } = sstate;
  if (hashServer !== undefined && upstreamHashServer !== undefined) {
    // bitbake asks the upstream only on behalf of a server that it started itself.
    throw new OsbuildError('OSB_CONFIG_INVALID', 'yocto.sstate: hashServer and upstreamHashServer exclude each other', {
      hint: 'hashServer for a server that this build tells as well; upstreamHashServer for one that it only asks. `osbuild sstate serve --upstream` joins the two',
    });
  }
  const lines: string[] = [];
  if (mirrors.length > 0) lines.push(assignment('SSTATE_MIRRORS', mirrors.map((mirror) => `file://.* ${mirror.replace(/\/+$/, '')}/PATH;downloadfilename=PATH`).join(' ')));
  if (s3Endpoint !== undefined) lines.push(assignment('FETCHCMD_s3', `/usr/bin/env aws --endpoint-url ${s3Endpoint} s3`));
  if (hashServer !== undefined || upstreamHashServer !== undefined) {
    lines.push(assignment('BB_SIGNATURE_HANDLER', 'OEEquivHash'), assignment('BB_HASHSERVE', hashServer ?? 'auto'));
    if (upstreamHashServer !== undefined) lines.push(assignment('BB_HASHSERVE_UPSTREAM', upstreamHashServer));
  }
  if (prServer !== undefined) lines.push(assignment('PRSERV_HOST', prServer));
  if (signatures?.key !== undefined) lines.push(assignment('SSTATE_SIG_KEY', signatures.key));
  if (signatures?.verify === true) lines.push(assignment('SSTATE_VERIFY_SIG', '1'));
  if ((signatures?.trusted ?? []).length > 0) lines.push(assignment('SSTATE_VALID_SIGS', (signatures?.trusted ?? []).join(' ')));
  if (signatures?.keyring !== undefined) lines.push(assignment('GPG_PATH', signatures.keyring));
  return lines.join('');
}

/** What a person should know of these settings before a long build. Pure. */
export function sharedStateWarnings(sstate: SharedState, environment: { bucketCredentials: boolean }): SharedStateWarning[] {
  const { mirrors = [], hashServer, upstreamHashServer, s3Endpoint, signatures } = sstate;
  const warnings: SharedStateWarning[] = [];
  const warn = (code: string, message: string, hint: string): void => void warnings.push({ code, message, hint });
  const buckets = mirrors.some((mirror) => mirror.startsWith('s3://'));
  if (mirrors.length > 0 && hashServer === undefined && upstreamHashServer === undefined) {
    warn('SSTATE_NO_HASH_SERVER', 'yocto.sstate names mirrors and no hash equivalence server', 'builds that ran with one named their results by its hashes: without it almost nothing is found. Set hashServer or upstreamHashServer; ignore this where the mirror was filled without one');
  }
  if (s3Endpoint !== undefined && !buckets) warn('SSTATE_UNUSED', 'yocto.sstate.s3Endpoint is set, but no mirror starts with s3://', 'name the bucket: s3://bucket/prefix');
  if (buckets && !environment.bucketCredentials) warn('SSTATE_NO_CREDENTIALS', 'a mirror is a bucket, and the environment has no credentials for it', 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; ignore this where the bucket is open to everybody');
  if (signatures?.verify === true && signatures.key === undefined && mirrors.length > 0) {
    warn('SSTATE_UNSIGNED', 'yocto.sstate.signatures: everything must be signed, and this build signs nothing', 'what it makes itself is not taken from shared state again; set key where this machine may sign');
  }
  if (signatures?.key !== undefined && signatures.verify !== true) warn('SSTATE_NOT_SIGNED', 'yocto.sstate.signatures: a key is named, and signatures are not verified', 'openembedded-core signs only where it verifies as well: set verify: true');
  if ((signatures?.trusted ?? []).length > 0 && signatures?.verify !== true) warn('SSTATE_NOT_VERIFIED', 'yocto.sstate.signatures.trusted names keys, but signatures are not verified', 'set verify: true');
  if (signatures?.verify === true && signatures.keyring === undefined) warn('SSTATE_NO_KEYRING', 'yocto.sstate.signatures: no keyring is named', "bitbake's home is a folder of the cache without one: set keyring to gpg's folder");
  return warnings;
}
