// How numbers, sizes and times are written.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Three significant digits, no needless zeros: 1.5, 15.3, 153. */
function digits(value) {
  const places = value < 10 ? 2 : value < 100 ? 1 : 0;
  return String(Number(value.toFixed(places)));
}

export function bytes(value) {
  if (value === undefined || value === null) return '–';
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${digits(value)} ${UNITS[unit]}`;
}

/** A count, shortened: 950, 1.2k, 34k, 5.6M. */
export function count(value) {
  if (value === undefined || value === null) return '–';
  const steps = [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']];
  for (const [size, letter] of steps) {
    if (value >= size * 0.9995) return digits(value / size) + letter;
  }
  return digits(value);
}

/** A whole number with its thousands apart. */
export function whole(value) {
  return value === undefined || value === null ? '–' : Math.round(value).toLocaleString('en-US');
}

export function percent(value) {
  if (value === undefined || value === null) return '–';
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

/** Seconds as "3 d 4 h", "5 min 6 s", "7.8 s". */
export function duration(seconds) {
  if (seconds === undefined || seconds === null) return '–';
  if (seconds < 60) return `${digits(seconds)} s`;
  const steps = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const first = steps.findIndex(([, size]) => seconds >= size);
  const [[name, size], [nextName, nextSize]] = [steps[first], steps[first + 1]];
  const rest = Math.floor((seconds % size) / nextSize);
  return `${Math.floor(seconds / size)} ${name}` + (rest ? ` ${rest} ${nextName}` : '');
}
