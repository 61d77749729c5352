// What counters did in the last minutes: rates between polls.

export const WINDOW = 5 * 60; // seconds that are kept

const LEAST = 0.6; // seconds between two points
const NS = 1e9;

/** One machine's past. `points` are {time, cpu, steal, exits}: seconds, percent of a CPU, percent, per second. */
export class History {
  constructor() {
    this.points = [];
    this.last = undefined;
  }

  /** Takes counters ({cpuTime, stealTime: ns; exits}) as they were at `time` in seconds. */
  add(time, counters) {
    const before = this.last;
    // Two polls at nearly the same time tell nothing about what was between them, nor does an answer that was
    // overtaken by a later one.
    if (before && time < before.time + LEAST) return;
    this.last = { time, ...counters };
    if (!before) return;
    const seconds = time - before.time;
    const delta = {};
    for (const name of ['cpuTime', 'stealTime', 'exits']) delta[name] = counters[name] - before[name];
    // Counters begin anew when a machine is started.
    if (Object.values(delta).some((value) => !(value >= 0))) return;
    this.points.push({
      time,
      cpu: (delta.cpuTime / NS / seconds) * 100,
      steal: (delta.stealTime / NS / seconds) * 100,
      exits: delta.exits / seconds,
    });
    while (this.points[0].time < time - WINDOW) this.points.shift();
  }

  /** The newest point, if it is of now. */
  current(time) {
    const point = this.points[this.points.length - 1];
    return point && point.time > time - 15 ? point : undefined;
  }
}

/** The next nice number from `value` up, for the top of an axis. */
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value * (1 - 1e-9));
  return factor * power;
}
