export const target: string;
export function scores(): { unit: string; score: number; reason: string; line: string }[];
export function exposure(root: string, unit: string): number;
