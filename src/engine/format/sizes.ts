const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

function scale(sizeBytes: number, base: number, units: readonly string[]): [number, string] {
  let value = sizeBytes;
  let index = 0;
  while (value >= base && index < units.length - 1) {
    value /= base;
    index++;
  }
  return [value, units[index] ?? ''];
}

/** Go's %.{precision}g: significant digits, trailing zeros dropped, exponent form from 10^precision up. */
export function significant(value: number, precision: number): string {
  if (value === 0) return '0';
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(precision)))));
  if (exponent < -4 || exponent >= precision) {
    const [mantissa = '0', power = '+0'] = value.toExponential(precision - 1).split('e');
    const digits = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
    return `${digits}e${power[0]}${power.slice(1).padStart(2, '0')}`;
  }
  const text = value.toPrecision(precision);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** 1234567 → "1.235MB": decimal units with so many significant digits. */
export function humanSizeWithPrecision(sizeBytes: number, precision: number): string {
  const [value, unit] = scale(sizeBytes, 1000, decimalUnits);
  return `${significant(value, precision)}${unit}`;
}

/** 1234567 → "1.235MB". */
export function humanSize(sizeBytes: number): string {
  return humanSizeWithPrecision(sizeBytes, 4);
}

/** 1048576 → "1MiB". */
export function bytesSize(sizeBytes: number): string {
  const [value, unit] = scale(sizeBytes, 1024, binaryUnits);
  return `${significant(value, 4)}${unit}`;
}
