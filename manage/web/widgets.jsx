// Small parts that several pages have.

import { useEffect, useRef, useState } from 'preact/hooks';
import { dismiss, update, useStore } from './store.js';

// Drawn on 24 by 24, in lines.
const ICONS = {
  key: 'M12 9a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM11 12l9 9M16 17l2.5-2.5',
  machines: 'M4 5h16v6H4zM4 13h16v6H4zM7.5 8h.01M7.5 16h.01',
  image: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z',
  host: 'M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4',
  log: 'M5 6h14M5 11h14M5 16h9',
  leave: 'M10 4H5v16h5M15 8l4 4-4 4M19 12H9',
  start: 'M7 5l12 7-12 7z',
  pause: 'M8 5v14M16 5v14',
  resume: 'M5 5v14M9 5l11 7-11 7z',
  stop: 'M12 3v8M7 6.5a8 8 0 1 0 10 0',
  reset: 'M19 12a7 7 0 1 1-2.5-5.4M19 3v4.5h-4.5',
  kill: 'M6 6l12 12M18 6L6 18',
  remove: 'M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5',
  add: 'M12 5v14M5 12h14',
  console: 'M4 5h16v14H4zM7.5 9.5l3 2.5-3 2.5M13 15h4',
  upload: 'M12 16V5M7 9.5L12 4.5l5 5M4 20h16',
  fetch: 'M12 4v11M7 10.5l5 5 5-5M4 20h16',
  fit: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  back: 'M14 6l-6 6 6 6',
};

export function Icon({ name }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}

/** A button; without children only its icon is seen, and `label` is its name. */
export function Button({ icon, label, kind = '', busy, children, ...rest }) {
  return (
    <button type="button" class={`button ${kind} ${children ? '' : 'bare'}`} title={children ? undefined : label}
      aria-label={label} aria-busy={busy || undefined} {...rest}>
      {icon && <Icon name={icon} />}
      {children && <span>{children}</span>}
    </button>
  );
}

const STATE_NAMES = { running: 'Running', paused: 'Paused', stopped: 'Stopped', defined: 'Not started', starting: 'Starting' };

export function StatePill({ state }) {
  return <span class={`pill ${state}`}>{STATE_NAMES[state] || state || 'unknown'}</span>;
}

/** A share of a whole, drawn; the text beside it says the same. */
export function Meter({ value, kind = '' }) {
  const share = Math.max(0, Math.min(1, value || 0));
  return (
    <svg class={`meter ${kind}`} viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect class="whole" width="100" height="4" />
      <rect class="part" width={(share * 100).toFixed(2)} height="4" />
    </svg>
  );
}

export function Facts({ rows }) {
  return (
    <dl class="facts">
      {rows.filter(([, value]) => value !== undefined && value !== null && value !== '').map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Field({ label, hint, children, wide }) {
  return (
    <label class={`field ${wide ? 'wide' : ''}`}>
      <span class="label">{label}</span>
      {children}
      {hint && <span class="hint">{hint}</span>}
    </label>
  );
}

/** What a page begins with. Its heading gets the focus when one comes to the page, so that readers of
 * screens hear where they are. */
export function Heading({ title, children, above }) {
  const heading = useRef();
  useEffect(() => {
    document.title = `${title} · Innkeeper`;
    heading.current.focus({ preventScroll: true });
  }, [title]);
  return (
    <header class="heading">
      <div class="title">
        {above}
        <h1 tabIndex={-1} ref={heading}>{title}</h1>
      </div>
      {children && <div class="tools">{children}</div>}
    </header>
  );
}

export function Empty({ title, children }) {
  return (
    <div class="empty">
      <p class="strong">{title}</p>
      {children}
    </div>
  );
}

/** What stands in the place of what a poll has not got (yet). */
export function Waiting({ error }) {
  return error ? <p class="notice error" role="alert">{error.message}</p> : <p class="waiting">Loading …</p>;
}

export function Toasts() {
  const toasts = useStore((state) => state.toasts);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} class={`toast ${toast.kind}`}>
          <span>{toast.text}</span>
          {toast.kind === 'error' && <Button icon="kill" label="Dismiss" kind="quiet" onClick={() => dismiss(toast.id)} />}
        </div>
      ))}
    </div>
  );
}

/** The dialog of ask(). */
export function Question() {
  const question = useStore((state) => state.question);
  const dialog = useRef();
  const [typed, setTyped] = useState('');
  useEffect(() => {
    if (!question) return;
    setTyped('');
    if (!dialog.current.open) dialog.current.showModal();
  }, [question]);
  const answer = (yes) => {
    dialog.current.close();
    update({ question: undefined });
    question.resolve(yes);
  };
  return (
    <dialog ref={dialog} aria-labelledby="question" onCancel={(event) => { event.preventDefault(); answer(false); }}>
      {question && (
        <form method="dialog" onSubmit={(event) => { event.preventDefault(); answer(true); }}>
          <h2 id="question">{question.title}</h2>
          <p>{question.text}</p>
          {question.word && (
            <Field label={<>Type <b>{question.word}</b> to go on</>}>
              <input value={typed} onInput={(event) => setTyped(event.target.value)} autoComplete="off"
                spellcheck={false} />
            </Field>
          )}
          <div class="row end">
            <Button onClick={() => answer(false)} autoFocus={!question.word}>Cancel</Button>
            <button class={`button ${question.danger ? 'danger' : 'main'}`} disabled={question.word && typed !== question.word}>
              {question.action}
            </button>
          </div>
        </form>
      )}
    </dialog>
  );
}
