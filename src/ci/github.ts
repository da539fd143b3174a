import { stringify } from 'yaml';

import { OsbuildError } from '../model/index.ts';
import { buildCommand, jobImage, outFolder, setUp, timeoutMinutes, type FleetPipeline } from './fleet.ts';

/** GitHub starts no more jobs of one matrix. */
const mostJobs = 256;

/** Text of a workflow of GitHub Actions: one job a machine, and one that stands for all of them. Pure. Throws OSB_USAGE. */
export function githubWorkflow(fleet: FleetPipeline): string {
  if (fleet.machines.length > mostJobs) throw new OsbuildError('OSB_USAGE', `GitHub runs ${mostJobs} jobs of a matrix at most, and these are ${fleet.machines.length} machines`, { hint: 'name some of them with --machine' });
  const machine = '${{ matrix.machine }}';
  const out = outFolder(fleet, machine);
  const workflow = {
    name: 'images',
    on: { push: { branches: [fleet.branch] }, pull_request: {}, workflow_dispatch: {} },
    permissions: { contents: 'read' },
    concurrency: { group: 'images-${{ github.ref }}', 'cancel-in-progress': true },
    jobs: {
      image: {
        name: machine,
        'runs-on': 'ubuntu-latest',
        // Programs of a build run in namespaces of their own, which an ordinary container may not make.
        container: { image: jobImage, options: '--privileged' },
        'timeout-minutes': timeoutMinutes(fleet),
        strategy: { 'fail-fast': false, matrix: { machine: fleet.machines } },
        env: {
          OSBUILD_REMOTE_CACHE: fleet.remoteCache ?? '${{ vars.OSBUILD_REMOTE_CACHE }}',
          OSBUILD_REMOTE_CACHE_PUSH: `\${{ github.event_name == 'push' && github.ref_name == '${fleet.branch}' && '1' || '0' }}`,
          OSBUILD_REMOTE_CACHE_TOKEN: '${{ secrets.OSBUILD_REMOTE_CACHE_TOKEN }}',
        },
        steps: [
          { name: 'Packages', run: `${setUp(fleet).join('\n')}\n` },
          { uses: 'actions/checkout@v4', with: { submodules: true } },
          { name: 'Build', run: buildCommand(fleet, machine) },
          {
            name: 'Summary',
            run: [`{ echo '### ${machine}'`, "  echo '| artifact | bytes | SHA-256 |'", "  echo '|---|---:|---|'", `  for file in ${out}/*; do`, '    echo "| $(basename "$file") | $(stat -c %s "$file") | $(sha256sum < "$file" | cut -c1-64) |"', '  done', '} >> "$GITHUB_STEP_SUMMARY"', ''].join('\n'),
          },
          { uses: 'actions/upload-artifact@v4', with: { name: machine, path: `${out}/`, 'if-no-files-found': 'error', 'compression-level': 0 } },
        ],
      },
      images: {
        name: 'all images',
        needs: 'image',
        if: 'always()',
        'runs-on': 'ubuntu-latest',
        steps: [{ name: 'Every machine was built', run: "test '${{ needs.image.result }}' = success" }],
      },
    },
  };
  return `# Written by \`osbuild ci github\`. OSBUILD_REMOTE_CACHE_TOKEN is a secret of the repository.\n${stringify(workflow, { lineWidth: 0 })}`;
}
