// The machine's log, live.

import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api.js';
import { usePoll } from './store.js';
import { Heading, Waiting } from './widgets.jsx';

const SEVERITIES = { OK: 'info', Warning: 'warning', Critical: 'error' };

/** The log with what is new in it; `known` is what the last call returned. */
async function read(known) {
  if (known && known.length > 0) {
    // From the last known entry on: if that is where it was, nothing was lost in between.
    const { Members: members } = await api.get(`${api.paths.log}?$skip=${known.length - 1}`);
    if (members.length > 0 && members[0].Id === known[known.length - 1].Id) {
      return members.length > 1 ? [...known, ...members.slice(1)] : known;
    }
  }
  return (await api.get(api.paths.log)).Members;
}

/** The time of day here; nothing while the machine does not know the date. */
function when(entry) {
  return entry.Created ? new Date(entry.Created).toLocaleTimeString(undefined, { hour12: false }) : '';
}

export function Log() {
  const known = useRef();
  const { value, error } = usePoll(async () => {
    known.current = await read(known.current);
    return known.current;
  }, 2000, []);
  const [words, setWords] = useState('');
  const [severity, setSeverity] = useState('');
  const [follow, setFollow] = useState(true);
  const lines = useRef();
  const shown = (value || []).filter((entry) => (
    (severity === '' || entry.Severity === severity || (severity === 'Warning' && entry.Severity === 'Critical')) &&
    words.toLowerCase().split(/\s+/).every((word) => entry.Message.toLowerCase().includes(word))
  ));
  useEffect(() => {
    if (follow && lines.current) lines.current.scrollTop = lines.current.scrollHeight;
  }, [follow, shown.length]);
  // Whoever scrolls back wants to read: the newest line waits until they are at the end again.
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = lines.current;
    setFollow(scrollHeight - scrollTop - clientHeight < 24);
  };

  return (
    <>
      <Heading title="Log">
        <input type="search" aria-label="Filter" placeholder="Filter" value={words} onInput={(event) => setWords(event.target.value)} />
        <select aria-label="Severity" value={severity} onChange={(event) => setSeverity(event.target.value)}>
          <option value="">All</option>
          <option value="Warning">Warnings and errors</option>
          <option value="Critical">Errors</option>
        </select>
      </Heading>
      {!value && <Waiting error={error} />}
      {value && (
        <>
          <ol class="card log" ref={lines} onScroll={scrolled} tabIndex={0} aria-label="Log entries">
            {shown.map((entry) => (
              <li key={entry.Id} class={SEVERITIES[entry.Severity] || 'info'}>
                <time dateTime={entry.Created} title={entry.Created}>{when(entry)}</time>
                <span>{entry.Message}</span>
              </li>
            ))}
            {shown.length === 0 && <li class="faint">Nothing {words || severity ? 'that fits' : 'was logged'}.</li>}
          </ol>
          <p class="hint" aria-live="off">{shown.length} of {value.length} entries{follow ? ', new ones as they come' : '; scroll down to follow'}</p>
        </>
      )}
    </>
  );
}
