// The login form: all that somebody without a session gets to see.

import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api.js';
import { update, useStore } from './store.js';
import { Field, Icon } from './widgets.jsx';

export function Login() {
  const notice = useStore((state) => state.notice);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState();
  const password = useRef();
  useEffect(() => {
    password.current.focus();
    document.title = 'Log in · Innkeeper';
  }, []);

  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    setBusy(true);
    setError(undefined);
    try {
      const account = await api.login(form.user.value.trim(), form.password.value);
      update({ phase: 'in', notice: undefined, ...account });
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
      form.password.select();
    }
  };

  return (
    <main class="login">
      <form onSubmit={submit} class="card">
        <div class="brand"><span class="mark"><Icon name="key" /></span> Innkeeper</div>
        <p class="faint">{location.host}</p>
        {notice && !error && <p class="notice">{notice}</p>}
        {error && <p class="notice error" role="alert">{error}</p>}
        <Field label="User name">
          <input name="user" defaultValue="admin" autoComplete="username" autoCapitalize="none" spellcheck={false}
            required />
        </Field>
        <Field label="Password">
          <input name="password" type="password" autoComplete="current-password" required ref={password} />
        </Field>
        <button class="button main" disabled={busy} aria-busy={busy}>Log in</button>
        <p class="hint">
          If no password was set, the machine made one when it started and shows it on its local console.
        </p>
      </form>
    </main>
  );
}
