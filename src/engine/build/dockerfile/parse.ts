import { nearestWord } from '../../cli/nearest.ts';
import { dockerfileError } from './dockerfile-error.ts';
import type { Dockerfile, Instruction, Stage } from './instructions.ts';
import { logicalLines, type LogicalLine } from './lines.ts';
import { INSTRUCTIONS, readInstruction } from './read-instruction.ts';

const STAGE_NAME = /^[a-z][a-z0-9._-]*$/;

/** A whole Dockerfile. Throws 'invalid' with the line and, for misspelt words, the nearest known one. */
export function parseDockerfile(source: string): Dockerfile {
  const { escape, lines, warnings } = logicalLines(source);
  const dockerfile: Dockerfile = { escape, globalArgs: [], stages: [], warnings };
  let stage: Stage | undefined;
  for (const line of lines) {
    const instruction = parseInstruction(line, escape);
    if (instruction.kind === 'from') {
      if (instruction.stage !== '' && !STAGE_NAME.test(instruction.stage)) {
        throw dockerfileError(line.line, `invalid name for build stage: ${JSON.stringify(instruction.stage)}, name can't start with a number or contain symbols`);
      }
      stage = { from: instruction, instructions: [] };
      dockerfile.stages.push(stage);
    } else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === 'arg') dockerfile.globalArgs.push(instruction);
    else throw dockerfileError(line.line, `no build stage in current context: ${instruction.kind.toUpperCase()} stands before the first FROM`, 'only ARG may');
  }
  if (lines.length === 0) throw dockerfileError(1, 'file with no instructions');
  if (stage === undefined) throw dockerfileError(lines.at(-1)?.line ?? 1, 'no build stage in current context: there is no FROM');
  return dockerfile;
}

/** An image's ONBUILD trigger. Throws 'invalid'. */
export function parseTrigger(text: string): Exclude<Instruction, { kind: 'from' }> {
  const { lines, escape } = logicalLines(text);
  const line = lines[0];
  if (line === undefined || lines.length > 1) throw dockerfileError(1, `the trigger ${JSON.stringify(text)} is not one instruction`);
  const instruction = parseInstruction(line, escape);
  if (instruction.kind === 'from') throw dockerfileError(1, 'FROM isn\'t allowed as an ONBUILD trigger');
  return instruction;
}

function parseInstruction(line: LogicalLine, escape: string): Instruction {
  const match = /^(\S+)(?:\s+([^]*))?$/.exec(line.text);
  const word = match?.[1] ?? '';
  const keyword = word.toUpperCase();
  const known = INSTRUCTIONS.find((name) => name === keyword);
  if (known === undefined) {
    const near = nearestWord(keyword, INSTRUCTIONS);
    throw dockerfileError(line.line, `unknown instruction: ${word}`, near === null ? undefined : `did you mean ${near}?`);
  }
  const rest = match?.[2] ?? '';
  const body = readInstruction(known, rest, { line: line.line, escape, heredocs: line.heredocs });
  return { ...body, line: line.line, text: rest === '' ? keyword : `${keyword} ${rest}` };
}
