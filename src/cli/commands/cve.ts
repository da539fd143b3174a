import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { openIssues, readTracker, urgencies, type ImagePackage, type OpenIssue, type Urgency } from '../../advisories/index.ts';
import type { Project } from '../../config/index.ts';
import type { ImageManifest } from '../../image/index.ts';
import { OsbuildError } from '../../model/index.ts';
import { builtFile } from '../build/built-artifact.ts';
import { defaultSuite } from '../build/debian.ts';
import { machineOption, oneMachine } from '../build/selection.ts';
import { Session } from '../build/session.ts';
import { trackerAddress, trackerData } from '../build/tracker-data.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { table } from '../table.ts';
import { lockOptions } from './image.ts';

const limits = ['high', 'medium', 'low', 'any', 'fixed'] as const;
type Limit = (typeof limits)[number];

export const cve: Command = {
  name: 'cve',
  usage: '--machine <machine>',
  summary: 'List the security issues of an image’s packages that Debian knows of',
  details:
    '\nThe packages of --machine (its image is built first where it has to be), or of a bill of materials that was built before (--sbom sbom.cdx.json), against the data of Debian’s security tracker.\n' +
    'The data is kept and loaded again when it has changed; --data names a copy where there is no network. Packages alone are looked at: neither the engine nor files by their addresses.\n' +
    'What Debian calls unimportant, and what nobody has looked at yet, is listed with --all.',
  options: {
    ...machineOption,
    ...lockOptions,
    sbom: { type: 'string', value: 'file', help: 'a bill of materials of an image, instead of --machine' },
    data: { type: 'string', value: 'file', help: `the tracker’s data: a file or an address (default: ${trackerAddress})` },
    suite: { type: 'string', value: 'suite', help: 'the release of Debian (default: debian.suite of build.config.yaml)' },
    all: { type: 'boolean', help: 'also unimportant issues, and those of which it is not known whether this release has them' },
    'fail-on': { type: 'string', value: 'what', help: 'exit status 1 where an issue is listed that is: high, medium (or worse), low (or worse), any, or fixed (in a version that the image does not have)' },
  },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const { flags, out } = invocation;
    const limit = flags.text('fail-on');
    if (limit !== undefined && !isLimit(limit)) throw new OsbuildError('OSB_USAGE', `"${limit}" is nothing to fail on`, { hint: limits.join(', ') });
    const project = await openProject(invocation);
    const suite = flags.text('suite') ?? project.build.debian?.suite ?? defaultSuite;
    const packages = await packagesOf(invocation, project);
    const from = flags.text('data') ?? trackerAddress;
    const found = openIssues(packages, readTracker(await trackerData(invocation, from), from), suite);
    const shown = flags.on('all') ? found : found.filter(({ urgency, state }) => urgency !== 'unimportant' && state !== 'undetermined');
    if (flags.on('json')) for (const issue of shown) out(`${JSON.stringify({ type: 'issue', ...issue })}\n`);
    else out(issuesText(shown, found.length - shown.length));
    if (flags.on('json')) out(`${JSON.stringify({ type: 'cve', suite, packages: packages.length, issues: shown.length, left: found.length - shown.length, urgencies: countByUrgency(shown) })}\n`);
    return limit !== undefined && shown.some((issue) => reaches(issue, limit)) ? 1 : 0;
  },
};

const isLimit = (text: string): text is Limit => limits.some((limit) => limit === text);

function reaches({ urgency, state }: OpenIssue, limit: Limit): boolean {
  if (limit === 'any') return true;
  return limit === 'fixed' ? state === 'fixed' : urgencies.indexOf(urgency) <= urgencies.indexOf(limit);
}

async function packagesOf(invocation: Invocation, project: Project): Promise<ImagePackage[]> {
  const sbom = invocation.flags.text('sbom');
  if (sbom === undefined) {
    const path = await builtFile(invocation, new Session(invocation, project), oneMachine(invocation, project), 'manifest.json');
    return (JSON.parse(await readFile(path, 'utf8')) as ImageManifest).packages.filter(({ downloadUrl }) => downloadUrl === undefined);
  }
  if (invocation.flags.texts('machine').length > 0) throw new OsbuildError('OSB_USAGE', '--sbom and --machine exclude each other');
  const file = resolve(invocation.cwd, sbom);
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new OsbuildError('OSB_USAGE', `cannot read ${file}: ${cause.message}`, { hint: '`osbuild image` writes sbom.cdx.json beside the image', cause });
  });
  const packages = componentsOf(text);
  if (packages.length === 0) throw new OsbuildError('OSB_USAGE', `${file} is no bill of materials that \`osbuild image\` or \`osbuild sbom\` made`, { hint: 'sbom.cdx.json beside an image' });
  return packages;
}

/** Debian's packages of a bill of materials of ours. */
function componentsOf(text: string): ImagePackage[] {
  try {
    const { components = [] } = JSON.parse(text) as { components?: { name?: string; version?: string; purl?: string; properties?: { name: string; value: string }[] }[] };
    return components.flatMap(({ name, version, purl, properties }) => {
      const [source, sourceVersion] = properties?.find((property) => property.name === 'osbuild:source')?.value.split(' ') ?? [];
      return name === undefined || version === undefined || source === undefined || sourceVersion === undefined || purl?.startsWith('pkg:deb/') !== true ? [] : [{ name, version, source, sourceVersion }];
    });
  } catch {
    return [];
  }
}

function countByUrgency(issues: readonly OpenIssue[]): Partial<Record<Urgency, number>> {
  return Object.fromEntries(urgencies.flatMap((urgency) => {
    const count = issues.filter((issue) => issue.urgency === urgency).length;
    return count === 0 ? [] : [[urgency, count]];
  }));
}

function issuesText(issues: readonly OpenIssue[], left: number): string {
  const more = left === 0 ? '' : `; ${left} unimportant or undetermined (--all)`;
  if (issues.length === 0) return `no issues are known${more}\n`;
  const stateText = ({ state, fixedVersion, decision }: OpenIssue): string => (state === 'fixed' ? `fixed in ${fixedVersion}` : `${state}${decision === null ? '' : `, ${decision}`}`);
  const rows = issues.map((issue) => [issue.urgency, issue.id, issue.source, issue.version, stateText(issue), issue.packages.join(' ')]);
  const counts = Object.entries(countByUrgency(issues)).map(([urgency, count]) => `${count} ${urgency}`);
  return `${table(['URGENCY', 'ISSUE', 'SOURCE', 'VERSION', 'STATE', 'PACKAGES'], rows)}\n${issues.length} ${issues.length === 1 ? 'issue' : 'issues'}: ${counts.join(', ')}${more}\n`;
}
