import type { Reporter, TestCase, TestModule, TestRunEndReason } from 'vitest/node';

/**
 * One line a test file while it runs; failures with their errors; every skip with its reason; and last, alone on a
 * line, the counts that CI reads.
 */
export default class PlainReporter implements Reporter {
  private readonly started = performance.now();

  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    const durationMs = test.diagnostic()?.duration ?? 0;
    if (result.state === 'failed') {
      this.say(`✖ ${nameOf(test)}`);
      for (const error of result.errors) this.say(indent(error.stack ?? error.message));
      for (const error of result.errors) if (error.diff) this.say(indent(error.diff));
    } else if (durationMs > 20_000) this.say(`  ✔ ${nameOf(test)} (${(durationMs / 1000).toFixed(0)} s)`);
  }

  onTestModuleEnd(module: TestModule): void {
    const tests = [...module.children.allTests()];
    const failed = tests.filter((test) => test.result().state === 'failed').length;
    const errors = errorsAround(module);
    const mark = failed + errors.length > 0 ? '✖' : '✔';
    this.say(`${mark} ${module.relativeModuleId} (${tests.length} tests, ${((module.diagnostic().duration ?? 0) / 1000).toFixed(1)} s)`);
    for (const error of errors) this.say(indent(error.stack ?? error.message));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly { message: string; stack?: string }[], reason: TestRunEndReason): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    for (const error of unhandled) this.say(`✖ outside of any test\n${indent(error.stack ?? error.message)}`);
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    if (skipped.length > 0) this.say('\nSkipped:');
    for (const [why, names] of byReason(skipped)) this.say(`  ${why}\n${names.map((name) => `    – ${name}`).join('\n')}`);
    // A file that does not even load, or a suite whose hooks fail, has no tests to count, and must not pass for that.
    const broken = modules.filter((module) => errorsAround(module).length > 0).length + unhandled.length;
    if (reason === 'interrupted') this.say('interrupted');
    this.say(`\n${((performance.now() - this.started) / 1000).toFixed(0)} s`);
    this.say(`${count('passed')} passed, ${count('failed') + broken} failed, ${skipped.length} skipped`);
  }

  private say(text: string): void {
    process.stdout.write(`${text}\n`);
  }
}

/** Errors that belong to no test: of the file itself, and of hooks of its suites. */
function errorsAround(module: TestModule): { message: string; stack?: string }[] {
  return [...module.errors(), ...[...module.children.allSuites()].flatMap((suite) => suite.errors())];
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId}: ${test.fullName}`;
}

function byReason(tests: TestCase[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const test of tests) {
    const result = test.result();
    const why = (result.state === 'skipped' && result.note) || reasonInName(test) || 'no reason given';
    groups.set(why, [...(groups.get(why) ?? []), nameOf(test)]);
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

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
