import type { Reporter, TestCase, TestModule, TestRunEndReason } from 'vitest/node';

/**
 * One line a test file while it runs; failures with their errors; every skip with its reason; what passed only when it was tried again (with
 * OSBUILD_TEST_RETRIES); the failures once more, since the end is what is kept of a long log; and last, alone on a line, the counts that CI reads.
 */
export default class PlainReporter implements Reporter {
  private readonly started = performance.now();
  private readonly failures: string[] = [];
  private readonly unsteady: string[] = [];

  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    const durationMs = test.diagnostic()?.duration ?? 0;
    if (result.state === 'failed') this.fail(`✖ ${nameOf(test)}`, result.errors);
    else if (test.diagnostic()?.flaky === true) this.unsteady.push([nameOf(test), ...(result.errors ?? []).map((error) => indent(textOf(error)))].join('\n'));
    else if (durationMs > 20_000) this.say(`  ✔ ${nameOf(test)} (${(durationMs / 1000).toFixed(0)} s)`);
  }

  onTestModuleEnd(module: TestModule): void {
    const tests = [...module.children.allTests()];
    const failed = tests.filter((test) => test.result().state === 'failed').length;
    const errors = errorsAround(module);
    const seconds = ((module.diagnostic().duration ?? 0) / 1000).toFixed(1);
    const line = `${failed + errors.length > 0 ? '✖' : '✔'} ${module.relativeModuleId} (${tests.length} tests, ${seconds} s)`;
    if (errors.length > 0) this.fail(line, errors);
    else this.say(line);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly Failure[], reason: TestRunEndReason): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    for (const error of unhandled) this.fail('✖ outside of any test', [error]);
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    if (skipped.length > 0) this.say('\nSkipped:');
    for (const [why, places] of byReason(skipped)) {
      this.say(`  ${why}`);
      for (const [place, names] of places) this.say(`    ${place}\n${names.map((name) => `      – ${name}`).join('\n')}`);
    }
    // A file that does not even load, or a suite whose hooks fail, has no tests to count, and must not pass for that.
    const broken = modules.filter((module) => errorsAround(module).length > 0).length + unhandled.length;
    if (this.unsteady.length > 0) this.say(`\nPassed only when tried again:\n${this.unsteady.join('\n')}`);
    if (this.failures.length > 0) this.say(`\nFailed:\n${this.failures.join('\n')}`);
    if (reason === 'interrupted') this.say('interrupted');
    this.say(`\n${((performance.now() - this.started) / 1000).toFixed(0)} s`);
    this.say(`${count('passed')} passed, ${count('failed') + broken} failed, ${skipped.length} skipped`);
  }

  private fail(what: string, errors: readonly Failure[]): void {
    const lines = [what, ...errors.map((error) => indent(textOf(error)))];
    for (const { diff } of errors) if (diff !== undefined) lines.push(indent(diff));
    this.failures.push(lines.join('\n'));
    this.say(lines.join('\n'));
  }

  private say(text: string): void {
    process.stdout.write(`${text}\n`);
  }
}

interface Failure {
  readonly message: string;
  readonly stack?: string;
  readonly diff?: string;
}

/** Errors that belong to no test: of the file itself, and of hooks of its suites. */
function errorsAround(module: TestModule): Failure[] {
  return [...module.errors(), ...[...module.children.allSuites()].flatMap((suite) => suite.errors())];
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId}: ${test.fullName}`;
}

/** Tests by the reason of their skip, then by their file and outermost suite. */
function byReason(tests: TestCase[]): Map<string, Map<string, string[]>> {
  const groups = new Map<string, Map<string, string[]>>();
  for (const test of tests) {
    const result = test.result();
    const why = (result.state === 'skipped' && result.note) || reasonInName(test) || 'no reason given';
    const [outermost, ...rest] = test.fullName.split(' > ');
    const place = rest.length > 0 ? `${test.module.relativeModuleId}: ${outermost}` : test.module.relativeModuleId;
    const places = groups.get(why) ?? new Map<string, string[]>();
    places.set(place, [...(places.get(place) ?? []), rest.length > 0 ? rest.join(' > ') : test.fullName]);
    groups.set(why, places);
  }
  return groups;
}

/** A whole suite that is skipped says why in parentheses at the end of its name. */
function reasonInName(test: TestCase): string | undefined {
  for (let suite = test.parent; suite.type === 'suite'; suite = suite.parent) {
    const reason = /\(([^()]*(?:\([^()]*\))?[^()]*)\)$/.exec(suite.name)?.[1];
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Its message, and its stack without the test runner's own places. */
function textOf({ message, stack = '' }: Failure): string {
  const ours = stack.replaceAll(/^ +at .*\/node_modules\/.*\n?/gm, '').trimEnd();
  return ours.includes(message) ? ours : `${message}\n${ours}`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
