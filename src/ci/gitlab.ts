import { stringify } from 'yaml';

import { OsbuildError } from '../model/index.ts';
import { buildCommand, jobImage, outFolder, setUp, timeoutMinutes, type FleetPipeline } from './fleet.ts';

/** GitLab starts no more jobs of one matrix. */
const mostJobs = 200;

/** Text of .gitlab-ci.yml: one job a machine, and one that sums them up. Pure. Throws OSB_USAGE. */
export function gitlabPipeline(fleet: FleetPipeline): string {
  if (fleet.machines.length > mostJobs) throw new OsbuildError('OSB_USAGE', `GitLab runs ${mostJobs} jobs of a matrix at most, and these are ${fleet.machines.length} machines`, { hint: 'name some of them with --machine' });
  const out = outFolder(fleet, '$MACHINE');
  const pipeline = {
    stages: ['image', 'summary'],
    workflow: { rules: [{ if: '$CI_PIPELINE_SOURCE == "merge_request_event"' }, { if: `$CI_COMMIT_BRANCH == "${fleet.branch}"` }, { if: '$CI_PIPELINE_SOURCE == "web"' }] },
    image: {
      stage: 'image',
      image: jobImage,
      parallel: { matrix: [{ MACHINE: fleet.machines }] },
      timeout: `${timeoutMinutes(fleet) / 60}h`,
      interruptible: true,
      variables: { GIT_SUBMODULE_STRATEGY: 'recursive', ...(fleet.remoteCache === null ? {} : { OSBUILD_REMOTE_CACHE: fleet.remoteCache }), OSBUILD_REMOTE_CACHE_PUSH: '0' },
      rules: [{ if: `$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == "${fleet.branch}"`, variables: { OSBUILD_REMOTE_CACHE_PUSH: '1' } }, { when: 'on_success' }],
      before_script: setUp(fleet),
      script: [buildCommand(fleet, '"$MACHINE"'), `(cd "${out}" && sha256sum -- *) | tee "$MACHINE.sha256"`],
      artifacts: { name: '$MACHINE', paths: [`${out}/`, '$MACHINE.sha256'], expire_in: '2 weeks' },
    },
    images: {
      stage: 'summary',
      image: jobImage,
      needs: [{ job: 'image', artifacts: true }],
      variables: { GIT_STRATEGY: 'none' },
      script: ['cat -- *.sha256 | tee images.sha256'],
      artifacts: { paths: ['images.sha256'], expire_in: '2 weeks' },
    },
  };
  return `# Written by \`osbuild ci gitlab\`. Its runner starts privileged containers; OSBUILD_REMOTE_CACHE_TOKEN is a masked, protected variable.\n${stringify(pipeline, { lineWidth: 0 })}`;
}
