// The machine's log, live.

import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api.js';
import { usePoll } from './store.js';
import { Heading, Waiting } from './widgets.jsx';

const SEVERITIES = { OK: 'info', Warning: 'warning', Critical: 'error' };

/** The time of day if the clock was right, else since boot, as the server writes it. */
function when(entry) {
  const time = new Date(entry.Created);
  if (Number.isNaN(time.getTime())) return entry.Created || '';
  return time.toLocaleTimeString(undefined, { hour12: false });
}

export function Log() {
  const { value, error } = usePoll(() => api.getMembers(api.paths.log), 2000, []);
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
