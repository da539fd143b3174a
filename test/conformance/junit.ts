export interface TestResult {
  /** 'file.py::Class::test'. */
  id: string;
  file: string;
  outcome: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped, and where. */
  message: string;
  seconds: number;
}

/** Reads pytest's JUnit report. A test that fails and then cannot clean up stands in it twice and counts once. */
export function parseJunit(xml: string): TestResult[] {
  const results = new Map<string, TestResult>();
  for (const [, attributes = '', , body = ''] of xml.matchAll(/<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const attribute = (name: string): string => unescapeXml(new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? '');
    const [module = '', ...classes] = attribute('classname').replace(/^tests\.integration\./, '').split('.');
    const file = `${module}.py`;
    const id = [file, ...classes, attribute('name')].join('::');
    const fault = /<(?:failure|error)\b[^>]*?(?:message="([^"]*)")?[^>]*>([\s\S]*?)<\/(?:failure|error)>/.exec(body);
    const skip = /<skipped\b[^>]*message="([^"]*)"/.exec(body);
    const outcome = fault !== null ? 'failed' : skip !== null ? 'skipped' : 'passed';
    const message = fault !== null ? unescapeXml(fault[2] ?? '').slice(-1200) : unescapeXml(skip?.[1] ?? '');
    if (results.get(id)?.outcome === 'failed') continue;
    results.set(id, { id, file, outcome, message, seconds: Number(attribute('time')) });
  }
  return [...results.values()];
}

function unescapeXml(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#10;', '\n').replaceAll('&apos;', "'").replaceAll('&amp;', '&');
}
