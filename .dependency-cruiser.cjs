// The import rules of docs/architecture.md, checked by `npm test`.
const only = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    only('no-cycles', 'A cycle is two things that are one.', {}, { circular: true }),
    only('model-imports-nothing', 'The nouns stand alone.', { path: '^src/model/' }, { pathNot: '^src/model/' }),
    only('graph-imports-model-alone', 'Planning is pure: no I/O, no clock, no node:*.', { path: '^src/graph/' }, { pathNot: '^src/(graph|model)/' }),
    only('cache-below-runner', 'The store knows no tasks.', { path: '^src/cache/' }, { path: '^src/', pathNot: '^src/(cache|graph|http|model)/' }),
    only('downloads-know-no-images', 'A digest is all that a download needs.', { path: '^src/downloads/' }, { path: '^src/', pathNot: '^src/(downloads|http|model)/' }),
    only('http-stands-alone', 'Transport knows nothing of what it carries.', { path: '^src/http/' }, { path: '^src/', pathNot: '^src/http/' }),
    only('exec-knows-no-tasks', 'Running programs is below everything that builds.', { path: '^src/exec/' }, { path: '^src/', pathNot: '^src/(exec|model)/' }),
    only('config-is-data', 'Reading projects needs no builder.', { path: '^src/config/' }, { path: '^src/', pathNot: '^src/(config|model)/' }),
    only('runner-knows-no-steps', 'Executors are handed in.', { path: '^src/runner/' }, { path: '^src/', pathNot: '^src/(runner|cache|exec|graph|model)/' }),
    only('remote-knows-no-steps', 'Another host runs the same program; how it builds is its own affair.', { path: '^src/remote/' }, { path: '^src/', pathNot: '^src/(remote|cache|model)/' }),
    only('agent-stands-alone', 'It runs on a host that has nothing but Node.js; where the cache is, is said once.', { path: '^src/remote/agent/' }, { path: '.', pathNot: '^(src/(remote/(agent/|protocol\\.ts)|cache/layout\\.ts)|(node:)?[a-z_/]+$)' }),
    only('ci-writes-text', 'Pipelines are text.', { path: '^src/ci/' }, { path: '^src/', pathNot: '^src/(ci|model)/' }),
    only('report-changes-nothing', 'Reporters read events.', { path: '^src/report/' }, { path: '^src/', pathNot: '^src/(report|model)/' }),
    only('providers-apart', 'Only the command line knows all providers.', { path: '^src/providers/([^/]+)/' }, { path: '^src/providers/', pathNot: '^src/providers/$1/' }),
    only('image-knows-no-provider', 'Everything after the root is shared.', { path: '^src/image/' }, { path: '^src/(providers|device|cli|engine)/' }),
    only('flash-only-writes', 'It gets an image and a disk.', { path: '^src/flash/' }, { path: '^src/', pathNot: '^src/(flash|image|exec|model)/' }),
    only('registry-knows-no-releases', 'An image is blobs and a manifest.', { path: '^src/registry/' }, { path: '^src/', pathNot: '^src/(registry|downloads|exec|http|model)/' }),
    only('publish-makes-nothing', 'It gets a release, and what makes deltas.', { path: '^src/publish/' }, { path: '^src/', pathNot: '^src/(publish|registry|image|cache|model)/' }),
    only('advisories-are-data', 'What is wrong with packages needs no builder.', { path: '^src/advisories/' }, { path: '^src/', pathNot: '^src/(advisories|model)/' }),
    only('engine-stands-alone', 'The engine runs on the device: no node:*, nothing of the builder.', { path: '^src/engine/' }, { path: '.', pathNot: '^(src/engine/|src/host/types/|host:)' }),
    only('cli-on-top', 'Nothing imports the command line.', { pathNot: '^src/cli/' }, { path: '^src/cli/' }),
    only('execa-in-exec', 'One place runs programs.', { path: '^src/', pathNot: '^src/exec/' }, { path: 'node_modules/execa/' }),
    only('listr2-in-report', 'One place draws.', { path: '^src/', pathNot: '^src/report/' }, { path: 'node_modules/listr2/' }),
    only('zx-in-scripts', 'zx is for scripts and end-to-end tests.', { path: '^src/' }, { path: 'node_modules/zx/' }),
    only('child-process-in-exec', 'One place runs programs.', { path: '^src/', pathNot: '^src/(exec/|remote/agent/|cli/launch\\.mjs)' }, { path: '^(node:)?child_process$' }),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|out|node_modules)/' },
    enhancedResolveOptions: { extensions: ['.ts', '.mjs', '.json'] },
  },
};
