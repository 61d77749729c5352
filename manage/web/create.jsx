// Making a machine: a form, or the description's JSON itself.

import { useState } from 'preact/hooks';
import * as api from './api.js';
import { description, EMPTY } from './description.js';
import { attempt, machineAddress, refreshSystems, toast, usePoll } from './store.js';
import { Button, Field, Heading } from './widgets.jsx';

function Choice({ value, options, empty, ...rest }) {
  return (
    <select value={value} {...rest}>
      <option value="">{empty}</option>
      {options.map((name) => <option key={name} value={name}>{name}</option>)}
      {value && !options.includes(value) && <option value={value}>{value}</option>}
    </select>
  );
}

function Modules({ form, set, images }) {
  const change = (number, values) => set({ modules: form.modules.map((one, at) => (at === number ? { ...one, ...values } : one)) });
  return (
    <fieldset class="wide modules">
      <legend>Modules</legend>
      {form.modules.map((module, number) => (
        <div class="row" key={number}>
          <Choice aria-label={`Module ${number + 1}`} value={module.name} options={images} empty="choose an image"
            onChange={(event) => change(number, { name: event.target.value })} />
          <input aria-label={`Command line of module ${number + 1}`} placeholder="command line" value={module.cmdline}
            onInput={(event) => change(number, { cmdline: event.target.value })} />
          <Button icon="kill" label={`Leave out module ${number + 1}`} kind="quiet"
            onClick={() => set({ modules: form.modules.filter((_, at) => at !== number) })} />
        </div>
      ))}
      <Button icon="add" onClick={() => set({ modules: [...form.modules, { name: '', cmdline: '' }] })}>Add a module</Button>
    </fieldset>
  );
}

function Form({ form, set, images }) {
  const input = (name) => ({ name, value: form[name], onInput: (event) => set({ [name]: event.target.value }) });
  const choice = (name, empty, required) => (
    <Choice name={name} value={form[name]} options={images} empty={empty} required={required}
      onChange={(event) => set({ [name]: event.target.value })} />
  );
  return (
    <>
      <section class="card">
        <h2>Machine</h2>
        <div class="fields">
          <Field label="Name" hint="Letters, digits, and . _ -">
            <input {...input('name')} required maxLength={31} pattern="[A-Za-z0-9._\-]+" autoComplete="off" autoCapitalize="none"
              spellcheck={false} />
          </Field>
          <Field label="Memory" hint="256M, 1G, or bytes">
            <input {...input('memory')} required pattern="[0-9]+ *[KMGkmg]?" autoComplete="off" />
          </Field>
          <Field label="vCPUs" hint="1 to 16">
            <input {...input('vcpus')} type="number" min="1" max="16" required />
          </Field>
        </div>
      </section>
      <section class="card">
        <h2>What it boots</h2>
        <div class="fields">
          <div class="wide row" role="radiogroup" aria-label="Kind">
            {[['linux', 'Linux kernel'], ['multiboot', 'Multiboot image']].map(([kind, label]) => (
              <label class="radio" key={kind}>
                <input type="radio" name="kind" value={kind} checked={form.kind === kind} onChange={() => set({ kind })} />
                {label}
              </label>
            ))}
          </div>
          {form.kind === 'linux' && <Field label="Kernel">{choice('kernel', 'choose an image', true)}</Field>}
          {form.kind === 'linux' && <Field label="Initrd">{choice('initrd', 'none')}</Field>}
          {form.kind === 'multiboot' && <Field label="Image">{choice('image', 'choose an image', true)}</Field>}
          <Field label="Command line" wide>
            <input {...input('cmdline')} spellcheck={false} autoCapitalize="none" autoComplete="off" />
          </Field>
          {form.kind === 'multiboot' && <Modules form={form} set={set} images={images} />}
          {images.length === 0 && <p class="hint wide">There is no image yet. <a href="#/images">Upload one</a></p>}
        </div>
      </section>
      <section class="card">
        <h2>Its share of the CPUs</h2>
        <div class="fields">
          <Field label="Weight" hint="1 to 10000; 100 if left empty">
            <input {...input('weight')} type="number" min="1" max="10000" placeholder="100" />
          </Field>
          <Field label="Cap" hint="At most so many percent of a CPU">
            <input {...input('cap')} type="number" min="1" max="1600" placeholder="none" />
          </Field>
          <Field label="CPUs" hint="0-1,3 or !0; all if left empty">
            <input {...input('cpus')} pattern="!?[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*" placeholder="all" />
          </Field>
        </div>
      </section>
    </>
  );
}

export function Create() {
  const { value: images = [] } = usePoll(async () => (await api.getMembers(api.paths.images)).map((image) => image.Name || image.Id), 0, [], [api.paths.images]);
  const [form, setForm] = useState(EMPTY);
  const [raw, setRaw] = useState(); // the text, in the mode that has it
  const [start, setStart] = useState(true);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState();
  const set = (change) => setForm((before) => ({ ...before, ...change }));

  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const { body, location: where } = await api.request('POST', api.paths.systems, raw ?? description(form));
      const name = (body && body.Id) || decodeURIComponent(where.split('/').pop());
      toast(`${name} is defined.`, 'done');
      if (start) await attempt(() => api.request('POST', api.paths.reset(name), { ResetType: 'On' }));
      await attempt(refreshSystems);
      location.hash = machineAddress(name);
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };

  return (
    <>
      <Heading title="New machine" />
      <form class="stack" onSubmit={submit}>
        <div class="switch" role="group" aria-label="How to describe it">
          <Button aria-pressed={raw === undefined} onClick={() => setRaw(undefined)}>Form</Button>
          <Button aria-pressed={raw !== undefined} onClick={() => setRaw(raw ?? JSON.stringify(description(form), null, 2))}>JSON</Button>
        </div>
        {raw === undefined ? <Form form={form} set={set} images={images} /> : (
          <section class="card">
            <Field label="Description" hint="All keys of the machine's description; changes are lost when you go back to the form.">
              <textarea class="code" name="json" rows="18" spellcheck={false} value={raw} onInput={(event) => setRaw(event.target.value)} />
            </Field>
          </section>
        )}
        {error && <p class="notice error" role="alert">{error}</p>}
        <div class="row end">
          <label class="radio">
            <input type="checkbox" checked={start} onChange={(event) => setStart(event.target.checked)} />
            Start it now
          </label>
          <span class="gap" />
          <a class="button" href="#/"><span>Cancel</span></a>
          <button class="button main" disabled={busy} aria-busy={busy}>Create</button>
        </div>
      </form>
    </>
  );
}
