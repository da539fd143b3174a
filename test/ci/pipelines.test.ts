import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { githubWorkflow, gitlabPipeline, type FleetPipeline } from '../../src/ci/index.ts';

const fleet: FleetPipeline = { machines: ['qemuarm64', 'raspberrypi3'], osbuild: './vendor/osbuild/osbuild', folder: 'os', provider: 'debian', mode: 'production', locked: true, remoteCache: 'https://cache.example/osbuild', branch: 'main' };
const many = Array.from({ length: 257 }, (_, index) => `m${index}`);

describe('GitHub', () => {
  const text = githubWorkflow(fleet);
  const workflow = parse(text) as { jobs: { image: Record<string, never> & { steps: Array<Record<string, string>>; env: Record<string, string> }; images: Record<string, unknown> } };

  test('the workflow of a project inside of a repository', () => {
    expect(text).toBe(`# Written by \`osbuild ci github\`. OSBUILD_REMOTE_CACHE_TOKEN is a secret of the repository.
name: images
on:
  push:
    branches:
      - main
  pull_request: {}
  workflow_dispatch: {}
permissions:
  contents: read
concurrency:
  group: images-\${{ github.ref }}
  cancel-in-progress: true
jobs:
  image:
    name: \${{ matrix.machine }}
    runs-on: ubuntu-latest
    container:
      image: debian:trixie
      options: --privileged
    timeout-minutes: 120
    strategy:
      fail-fast: false
      matrix:
        machine:
          - qemuarm64
          - raspberrypi3
    env:
      OSBUILD_REMOTE_CACHE: https://cache.example/osbuild
      OSBUILD_REMOTE_CACHE_PUSH: \${{ github.event_name == 'push' && github.ref_name == 'main' && '1' || '0' }}
      OSBUILD_REMOTE_CACHE_TOKEN: \${{ secrets.OSBUILD_REMOTE_CACHE_TOKEN }}
    steps:
      - name: Packages
        run: |
          apt-get update -q
          apt-get install -y -q --no-install-recommends ca-certificates git nodejs npm
      - uses: actions/checkout@v4
        with:
          submodules: true
      - name: Build
        run: ./vendor/osbuild/osbuild image --machine \${{ matrix.machine }} --mode production -C os --locked
      - name: Summary
        run: |
          { echo '### \${{ matrix.machine }}'
            echo '| artifact | bytes | SHA-256 |'
            echo '|---|---:|---|'
            for file in os/out/\${{ matrix.machine }}/*; do
              echo "| $(basename "$file") | $(stat -c %s "$file") | $(sha256sum < "$file" | cut -c1-64) |"
            done
          } >> "$GITHUB_STEP_SUMMARY"
      - uses: actions/upload-artifact@v4
        with:
          name: \${{ matrix.machine }}
          path: os/out/\${{ matrix.machine }}/
          if-no-files-found: error
          compression-level: 0
  images:
    name: all images
    needs: image
    if: always()
    runs-on: ubuntu-latest
    steps:
      - name: Every machine was built
        run: test '\${{ needs.image.result }}' = success
`);
  });

  test('every step does one thing, and every job has what the service asks for', () => {
    for (const job of Object.values(workflow.jobs)) expect(Object.keys(job)).toEqual(expect.arrayContaining(['runs-on', 'steps']));
    for (const step of workflow.jobs.image.steps) expect(Object.keys(step).filter((key) => key === 'run' || key === 'uses')).toHaveLength(1);
  });

  test('without a cache of the project, a variable of the repository may name one', () => {
    const { jobs } = parse(githubWorkflow({ ...fleet, remoteCache: null })) as typeof workflow;
    expect(jobs.image.env['OSBUILD_REMOTE_CACHE']).toBe('${{ vars.OSBUILD_REMOTE_CACHE }}');
  });

  test('more machines than a matrix takes', () => {
    expect(() => githubWorkflow({ ...fleet, machines: many })).toThrow(expect.objectContaining({ code: 'OSB_USAGE' }));
    expect(() => githubWorkflow({ ...fleet, machines: many.slice(1) })).not.toThrow();
  });
});

describe('GitLab', () => {
  const pipeline = (changes: Partial<FleetPipeline> = {}) => parse(gitlabPipeline({ ...fleet, ...changes })) as { stages: string[]; image: Record<string, unknown> & { script: string[]; before_script: string[] }; images: Record<string, unknown> };

  test('a job for each machine, its artifacts, and one that sums up', () => {
    expect(pipeline()).toMatchObject({
      stages: ['image', 'summary'],
      image: {
        stage: 'image',
        image: 'debian:trixie',
        parallel: { matrix: [{ MACHINE: ['qemuarm64', 'raspberrypi3'] }] },
        timeout: '2h',
        variables: { OSBUILD_REMOTE_CACHE: 'https://cache.example/osbuild', OSBUILD_REMOTE_CACHE_PUSH: '0' },
        rules: [{ if: '$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == "main"', variables: { OSBUILD_REMOTE_CACHE_PUSH: '1' } }, { when: 'on_success' }],
        script: ['./vendor/osbuild/osbuild image --machine "$MACHINE" --mode production -C os --locked', '(cd "os/out/$MACHINE" && sha256sum -- *) | tee "$MACHINE.sha256"'],
        artifacts: { paths: ['os/out/$MACHINE/', '$MACHINE.sha256'] },
      },
      images: { stage: 'summary', needs: [{ job: 'image', artifacts: true }] },
    });
  });

  test('without a cache of the project, a variable of the service may name one', () => {
    expect(pipeline({ remoteCache: null }).image['variables']).not.toHaveProperty('OSBUILD_REMOTE_CACHE');
  });

  test('bitbake gets what it wants of a host, and time', () => {
    const { image } = pipeline({ provider: 'yocto', folder: '.', locked: false, mode: 'development' });
    expect(image).toMatchObject({ timeout: '12h' });
    expect(image.before_script.join('\n')).toMatch(/chrpath .*\n.*locale.gen\nlocale-gen$/);
    expect(image.script[0]).toBe('./vendor/osbuild/osbuild image --machine "$MACHINE" --provider yocto --mode development');
    expect(pipeline().image.before_script.join()).not.toContain('chrpath');
  });

  test('more machines than a matrix takes', () => {
    expect(() => gitlabPipeline({ ...fleet, machines: many })).toThrow(expect.objectContaining({ code: 'OSB_USAGE' }));
  });
});
