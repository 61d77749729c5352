// Whoever is logged in.

import { useState } from 'preact/hooks';
import * as api from './api.js';
import { attempt, useStore } from './store.js';
import { Field } from './widgets.jsx';

/** Changes one's own password; other sessions of the account end. */
export function Account() {
  const user = useStore((state) => state.user);
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    const worked = await attempt(
      () => api.request('PATCH', api.paths.account(user), { Password: password }),
      'The password was changed; your other sessions have ended.',
    );
    if (worked) {
      form.reset();
      setPassword('');
      setAgain('');
    }
  };
  const field = (value, set) => ({
    type: 'password', required: true, minLength: 8, autoComplete: 'new-password', value, onInput: (event) => set(event.target.value),
  });
  return (
    <form class="card" onSubmit={submit}>
      <h2>Password of {user}</h2>
      <input type="hidden" autoComplete="username" value={user} />
      <div class="fields">
        <Field label="New password" hint="8 characters at least"><input name="password" {...field(password, setPassword)} /></Field>
        <Field label="Once more" hint={again && again !== password ? 'Not the same' : ''}>
          <input name="again" {...field(again, setAgain)} />
        </Field>
      </div>
      <p class="faint">Until the machine starts again: then its configuration counts.</p>
      <div class="row"><button class="button" disabled={password !== again}>Change</button></div>
    </form>
  );
}
