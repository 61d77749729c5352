// What can be changed of a machine: what it boots next, its share of the CPUs, that it is there at all.

import { useState } from 'preact/hooks';
import * as api from './api.js';
import { ask, attempt, mayChange, ours, refreshSystem, refreshSystems, stateOf } from './store.js';
import { Button, Facts, Field } from './widgets.jsx';

const ENABLED = { Disabled: 'as described', Once: 'by URL, once', Continuous: 'by URL, every time' };

function Override({ system }) {
  const boot = system.Boot || {};
  const [enabled, setEnabled] = useState(boot.BootSourceOverrideEnabled || 'Disabled');
  const [url, setUrl] = useState(boot.HttpBootUri || '');
  const submit = (event) => {
    event.preventDefault();
    const change = enabled === 'Disabled' ? { BootSourceOverrideEnabled: enabled } : {
      BootSourceOverrideEnabled: enabled,
      BootSourceOverrideTarget: 'UefiHttp',
      HttpBootUri: url,
    };
    return attempt(async () => {
      await api.request('PATCH', api.paths.system(system.Id), { Boot: change });
      await refreshSystem(system.Id);
    }, 'Saved; it takes effect at the next start.');
  };
  return (
    <form class="card" onSubmit={submit}>
      <h2>Next start</h2>
      <div class="fields">
        <Field label="Boots" wide>
          <select name="enabled" value={enabled} onChange={(event) => setEnabled(event.target.value)} disabled={!mayChange()}>
            {Object.entries(ENABLED).map(([value, label]) => <option key={value} value={value}>{label}</option>)}
          </select>
        </Field>
        {enabled !== 'Disabled' && (
          <Field label="URL" hint="Of an image; Innkeeper fetches it before the machine starts." wide>
            <input name="url" type="url" required pattern="http://.+" placeholder="http://" value={url} onInput={(event) => setUrl(event.target.value)} />
          </Field>
        )}
      </div>
      {mayChange() && <div class="row"><button class="button">Save</button></div>}
    </form>
  );
}

function Share({ system }) {
  const own = ours(system);
  const sched = own.Sched || {};
  const [weight, setWeight] = useState(String(sched.Weight ?? ''));
  const [cap, setCap] = useState(String(sched.Cap ?? ''));
  const submit = (event) => {
    event.preventDefault();
    const change = {};
    if (weight !== '') change.Weight = Number(weight);
    if (cap !== '') change.Cap = Number(cap);
    return attempt(async () => {
      await api.request('PATCH', api.paths.system(system.Id), { Oem: { Innkeeper: { Sched: change } } });
      await refreshSystem(system.Id);
    }, 'Saved.');
  };
  return (
    <form class="card" onSubmit={submit}>
      <h2>Share of the CPUs</h2>
      <div class="fields">
        <Field label="Weight" hint="1 to 10000, of each vCPU">
          <input name="weight" type="number" min="1" max="10000" value={weight} onInput={(event) => setWeight(event.target.value)} disabled={!mayChange()} />
        </Field>
        <Field label="Cap" hint={sched.Cap ? 'Percent of a CPU, all vCPUs together' : 'It was described without one'}>
          <input name="cap" type="number" min="1" max={100 * (own.Vcpus || 1)} value={cap} onInput={(event) => setCap(event.target.value)}
            disabled={!mayChange() || !sched.Cap} />
        </Field>
      </div>
      {mayChange() && <div class="row"><button class="button">Save</button></div>}
    </form>
  );
}

function Remove({ system }) {
  const state = stateOf(system);
  const idle = state === 'defined' || state === 'stopped';
  const remove = async () => {
    const text = 'Its description is forgotten, and so are its numbers and its console. Images stay.';
    if (!(await ask({ title: `Delete ${system.Id}?`, text, action: 'Delete', danger: true }))) return;
    const worked = await attempt(() => api.request('DELETE', api.paths.system(system.Id)), `${system.Id} was deleted.`);
    if (worked) {
      await attempt(refreshSystems);
      location.hash = '#/';
    }
  };
  return (
    <section class="card">
      <h2>Delete</h2>
      <p class="faint">{idle ? 'Forgets this machine.' : 'It has to be ended first.'}</p>
      <div class="row"><Button icon="remove" kind="risky" disabled={!idle} onClick={remove}>Delete this machine</Button></div>
    </section>
  );
}

export function Settings({ system }) {
  const { Description: described = {}, Sched: sched = {} } = ours(system);
  const { BootSourceOverrideEnabled: enabled, HttpBootUri: url } = system.Boot || {};
  return (
    <div class="columns two even">
      {/* By their keys, the forms begin anew when somebody else, or a start, has changed what they show. */}
      <Override key={`${enabled} ${url}`} system={system} />
      <Share key={`${sched.Weight} ${sched.Cap}`} system={system} />
      <section class="card">
        <h2>Described as</h2>
        <Facts rows={[
          ['Kernel', described.Kernel],
          ['Image', described.Image],
          ['Initrd', described.Initrd],
          ['Modules', (described.Modules || []).join(', ')],
          ['Command line', described.Cmdline && <code>{described.Cmdline}</code>],
          ['Starts by itself', described.Autostart !== undefined ? (described.Autostart ? 'yes' : 'no') : undefined],
          ['Manager', system.Links && system.Links.ManagedBy && <code>{system.Links.ManagedBy[0]['@odata.id']}</code>],
        ]} />
      </section>
      {mayChange() && <Remove system={system} />}
    </div>
  );
}
