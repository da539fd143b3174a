/** '10m', '1g', '512k', '100' as bytes (powers of 1024); undefined for anything else, and for '-1', which is Docker's "no limit". */
export function parseSize(text: string | undefined): number | undefined {
  const match = /^(\d{1,12})([bkmgt]?)(?:i?b)?$/i.exec(text ?? '');
  if (match === null) return undefined;
  return Number(match[1]) * 1024 ** 'bkmgt'.indexOf((match[2] || 'b').toLowerCase());
}
