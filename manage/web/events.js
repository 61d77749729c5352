// What the machine tells of by itself: Redfish's server-sent events. They say that something has changed; what
// it is now is asked for as ever.

import * as api from './api.js';

const FIRST = 1000; // ms until the next attempt, and twice as many after each
const LONGEST = 60000;

const watchers = new Set();
let source, attempt, timer, opened, delay;
let live = false;

/** Whether events come. */
export const isLive = () => live;

/** Calls `look` when something has happened to what is at `path` or below it, or may have. Returns what ends that. */
export function watch(path, look) {
  const watcher = { path, look };
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Something has happened there; it may have anywhere if it is not said where. */
function tell(at) {
  for (const { path, look } of [...watchers]) {
    if (at === undefined || at === path || at.startsWith(`${path}/`)) look();
  }
}

function disconnect() {
  clearTimeout(timer);
  if (source) source.close();
  source = undefined;
  attempt = undefined;
  live = false;
}

function lost() {
  if (live && performance.now() - opened > LONGEST) delay = FIRST;
  disconnect();
  timer = setTimeout(connect, delay);
  delay = Math.min(2 * delay, LONGEST);
  tell();
}

async function connect() {
  disconnect();
  const mine = attempt = {};
  try {
    // Asked first, for where the session is over the browser would have a dialog of its own about the stream.
    const { ServerSentEventUri: uri } = await api.get(api.paths.events);
    if (mine !== attempt) return;
    source = new EventSource(uri);
  } catch {
    if (mine === attempt) lost();
    return;
  }
  source.onopen = () => {
    live = true;
    opened = performance.now();
    tell();
  };
  source.onmessage = ({ data }) => {
    for (const { OriginOfCondition: at } of JSON.parse(data).Events) tell(at['@odata.id']);
  };
  source.onerror = lost; // its own attempts would come every few seconds for ever
}

/** Listens until the function is called that it returns; but not while nobody can see the page: a browser has
 * few connections to a server. */
export function listen() {
  const seen = () => {
    delay = FIRST;
    if (document.hidden) disconnect();
    else connect();
  };
  document.addEventListener('visibilitychange', seen);
  seen();
  return () => {
    document.removeEventListener('visibilitychange', seen);
    disconnect();
  };
}
