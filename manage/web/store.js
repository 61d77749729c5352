// The page's state that more than one part of it needs, and what keeps it fresh.

import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api.js';
import { isLive, watch } from './events.js';
import { History } from './history.js';

// What graphs are made of is asked for every so often, in ms; all else when the machine tells of it.
const LIST_INTERVAL = 2000; // where the list is what one looks at
const IDLE_INTERVAL = 5000; // elsewhere
const BLIND_INTERVAL = 4000; // of what has no interval, while the machine does not tell

let state = {
  phase: 'checking', // or 'login', 'in'
  user: undefined,
  role: undefined,
  notice: undefined, // why one has to log in again
  systems: undefined,
  reachable: true,
  toasts: [],
  question: undefined,
};
const listeners = new Set();

export const current = () => state;

export function update(change) {
  state = { ...state, ...change };
  for (const listener of listeners) listener();
}

/** What `select` makes of the state; the component is drawn again when that changes. */
export function useStore(select) {
  const [, redraw] = useState(0);
  const selected = select(state);
  const latest = useRef();
  latest.current = { select, selected };
  useEffect(() => {
    const listener = () => {
      if (latest.current.select(state) !== latest.current.selected) redraw((number) => number + 1);
    };
    listeners.add(listener);
    listener();
    return () => listeners.delete(listener);
  }, []);
  return selected;
}

export const mayChange = () => state.role !== 'ReadOnly';

// Words for the user.

let toastNumber = 0;

/** Errors stay for a while, of all else only the latest. */
export function toast(text, kind = 'info') {
  const id = ++toastNumber;
  update({ toasts: [...state.toasts.filter((one) => one.kind === 'error').slice(-2), { id, text, kind }] });
  setTimeout(() => dismiss(id), kind === 'error' ? 12000 : 4000);
}

export function dismiss(id) {
  update({ toasts: state.toasts.filter((one) => one.id !== id) });
}

/** Asks the user; resolves to whether it is to be done. */
export function ask(question) {
  return new Promise((resolve) => {
    update({ question: { ...question, resolve } });
  });
}

/** Runs what talks to the server; errors are shown. True if it worked. */
export async function attempt(work, done) {
  try {
    await work();
    if (done) toast(done, 'done');
    return true;
  } catch (error) {
    toast(error.message, 'error');
    return false;
  }
}

// Where one is: the part of the address after '#'.

export function useRoute() {
  const [route, setRoute] = useState(parseRoute);
  useEffect(() => {
    const listener = () => setRoute(parseRoute());
    addEventListener('hashchange', listener);
    return () => removeEventListener('hashchange', listener);
  }, []);
  return route;
}

function parseRoute() {
  return location.hash.replace(/^#\/?/, '').split('/').filter(Boolean).map(decodeURIComponent);
}

export const machineAddress = (name, tab) => `#/vm/${encodeURIComponent(name)}${tab ? `/${tab}` : ''}`;

// Machines and their past.

const histories = new Map();

export const now = () => performance.now() / 1000;

export function historyOf(name) {
  if (!histories.has(name)) histories.set(name, new History());
  return histories.get(name);
}

/** What is ours of a machine. */
export const ours = (system) => (system && system.Oem && system.Oem.Innkeeper) || {};

/** "defined", "starting" (its image is being fetched), "running", "paused", "stopped". */
export const stateOf = (system) => (
  system && system.Status && system.Status.State === 'Starting' ? 'starting' : ours(system).State
);

function record(system) {
  const own = ours(system);
  historyOf(system.Id).add(now(), {
    cpuTime: own.CpuTimeNanoseconds || 0,
    stealTime: own.StealTimeNanoseconds || 0,
    exits: own.Exits || 0,
  });
}

export async function refreshSystems() {
  const systems = await api.getMembers(api.paths.systems);
  systems.forEach(record);
  const names = new Set(systems.map((system) => system.Id));
  for (const name of histories.keys()) if (!names.has(name)) histories.delete(name);
  update({ systems });
}

export async function refreshSystem(name) {
  const system = await api.get(api.paths.system(name));
  record(system);
  const systems = state.systems || [];
  const known = systems.some((one) => one.Id === name);
  update({ systems: known ? systems.map((one) => (one.Id === name ? system : one)) : [...systems, system] });
}

/** Calls `work` now, when events tell of one of the paths `about`, and `interval` ms after it was done each time
 * (0: not by time; or a function that says it of the value), while the page can be seen. Returns what it said
 * last, its error, and a function that calls it at once. */
export function usePoll(work, interval, inputs, about = []) {
  const [result, setResult] = useState({ value: undefined, error: undefined });
  const again = useRef(() => {});
  useEffect(() => {
    let timer, pause, running = false, wanted = false, ended = false;
    setResult({ value: undefined, error: undefined });
    const run = async () => {
      clearTimeout(timer);
      if (running) {
        wanted = true;
        return;
      }
      running = true;
      try {
        const value = await work();
        pause = typeof interval === 'function' ? interval(value) : interval;
        if (!ended) setResult({ value, error: undefined });
        update({ reachable: true });
      } catch (error) {
        if (!ended) setResult((before) => ({ value: before.value, error }));
        pause = BLIND_INTERVAL;
        if (error.status === 0) update({ reachable: false });
      }
      running = false;
      if (ended) return;
      if (wanted) {
        wanted = false;
        run();
      } else if (!document.hidden && (pause || !isLive())) {
        timer = setTimeout(run, pause || BLIND_INTERVAL);
      }
    };
    const seen = () => !document.hidden && run();
    document.addEventListener('visibilitychange', seen);
    again.current = run;
    const watches = about.map((path) => watch(path, run));
    run();
    return () => {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
      watches.forEach((end) => end());
    };
  }, inputs);
  return { ...result, again: () => again.current() };
}

/** Keeps the list of machines fresh. */
export function useSystemsPoll(atList) {
  return usePoll(refreshSystems, atList ? LIST_INTERVAL : IDLE_INTERVAL, [atList], [api.paths.systems, api.paths.tasks]);
}
