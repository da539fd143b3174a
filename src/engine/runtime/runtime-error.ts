import { EngineError } from '../error.ts';

/**
 * crun's complaint in words that Docker's clients know: they read the exit code 126 or 127 of `docker run` out of them.
 */
export function runtimeFailure(action: string, complaint: string): EngineError {
  const text = complaint.trim().replaceAll(/\s*\n\s*/g, '; ').slice(0, 1000);
  const missing = /executable file [`'"]?([^`'"]+?)[`'"]? not found/.exec(text);
  if (missing?.[1] !== undefined) {
    return new EngineError('invalid', 'COMMAND_NOT_FOUND', `${action}: exec: "${missing[1]}": executable file not found in $PATH: no such file or directory`);
  }
  if (/permission denied|is a directory/i.test(text) && /exec|open executable/i.test(text)) {
    return new EngineError('invalid', 'COMMAND_NOT_EXECUTABLE', `${action}: ${lowerErrno(text)}: permission denied`);
  }
  if (/no such file or directory/i.test(text) && /exec/i.test(text)) return new EngineError('invalid', 'COMMAND_NOT_FOUND', `${action}: ${lowerErrno(text)}`);
  return new EngineError('internal', 'RUNTIME_FAILED', `${action}: ${text === '' ? 'the runtime failed without saying why' : text}`);
}

function lowerErrno(text: string): string {
  return text.replace(/No such file or directory/g, 'no such file or directory').replace(/Permission denied/g, 'permission denied');
}
