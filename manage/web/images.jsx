// Images: what machines are booted from. Uploaded, or fetched by the machine itself, which is a task.

import { useRef, useState } from 'preact/hooks';
import * as api from './api.js';
import * as format from './format.js';
import { ask, attempt, mayChange, usePoll } from './store.js';
import { follow, Tasks, useTasks } from './tasks.jsx';
import { Button, Empty, Field, Heading, Meter, Waiting } from './widgets.jsx';

const SOURCES = { module: 'boot module', uploaded: 'uploaded', fetched: 'fetched' };

/** A name that images may have, from a file's. */
const imageName = (file) => file.replace(/[^A-Za-z0-9._-]/g, '_');

function Upload({ done }) {
  const picker = useRef();
  const [over, setOver] = useState(false);
  const [transfer, setTransfer] = useState();

  const send = async (files) => {
    for (const file of files) {
      const name = imageName(file.name);
      const { promise, cancel } = api.upload(api.paths.image(name), file, (share) => setTransfer({ name, share, cancel }));
      setTransfer({ name, share: 0, cancel });
      await attempt(() => promise, `${name} was uploaded.`);
      setTransfer(undefined);
      done();
    }
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    if (!transfer) send([...event.dataTransfer.files]);
  };

  return (
    <section class={`card drop ${over ? 'over' : ''}`} onDrop={drop} onDragLeave={() => setOver(false)}
      onDragOver={(event) => { event.preventDefault(); setOver(true); }}>
      <h2>Upload</h2>
      {transfer ? (
        <>
          <p>{transfer.name}: {Math.floor(transfer.share * 100)} %</p>
          <Meter value={transfer.share} />
          <div class="row"><Button onClick={transfer.cancel}>Cancel</Button></div>
        </>
      ) : (
        <div class="target">
          <p class="faint">Kernels, initial RAM disks, multiboot images</p>
          <input ref={picker} type="file" multiple hidden aria-label="Files to upload"
            onChange={(event) => { send([...event.target.files]); event.target.value = ''; }} />
          <div class="row">
            <Button icon="upload" onClick={() => picker.current.click()}>Choose files</Button>
            <span class="faint">or drop them here</span>
          </div>
        </div>
      )}
    </section>
  );
}

function Fetch({ done }) {
  const [url, setUrl] = useState('');
  const [name, setName] = useState('');
  const suggested = imageName(url.split(/[?#]/)[0].split('/').slice(3).pop() || '');
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    const worked = await attempt(
      async () => {
        follow(await api.request('POST', api.paths.images, { Name: name || suggested, ImageURI: url }), done);
      },
      `${name || suggested} is being fetched.`,
    );
    if (worked) {
      form.reset(); // else what is empty again counts as left out
      setUrl('');
      setName('');
    }
    done();
  };
  return (
    <form class="card" onSubmit={submit}>
      <h2>Fetch by URL</h2>
      <div class="fields">
        <Field label="URL" wide>
          <input type="url" name="url" required pattern="http://.+" placeholder="http://" value={url}
            onInput={(event) => setUrl(event.target.value)} />
        </Field>
        <Field label="Name" wide>
          <input name="name" value={name} placeholder={suggested} required={!suggested} pattern="[A-Za-z0-9._\-]+"
            onInput={(event) => setName(event.target.value)} />
        </Field>
      </div>
      <div class="row"><button class="button">Fetch</button></div>
    </form>
  );
}

export function Images() {
  const images = usePoll(() => api.getMembers(api.paths.images), 0, [], [api.paths.images, api.paths.systems]);
  const tasks = useTasks();
  const done = () => {
    images.again();
    tasks.again();
  };
  const remove = async (name) => {
    if (!(await ask({ title: `Delete ${name}?`, text: 'Machines that name it cannot be started any more.', action: 'Delete', danger: true }))) return;
    await attempt(() => api.request('DELETE', api.paths.image(name)), `${name} was deleted.`);
    done();
  };
  const rows = (images.value || []).map((image) => ({ ...image, ...((image.Oem && image.Oem.Innkeeper) || {}) }));
  return (
    <>
      <Heading title="Images" />
      {mayChange() && (
        <div class="columns two even">
          <Upload done={done} />
          <Fetch done={done} />
        </div>
      )}
      <Tasks tasks={tasks.value} done={done} />
      {!images.value && <Waiting error={images.error} />}
      {images.value && rows.length === 0 && <Empty title="There are no images." />}
      {rows.length > 0 && (
        <div class="card flush">
          <table class="list images hover">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Source</th>
                <th scope="col" class="number">Size</th>
                <th scope="col" class="number">Used by</th>
                <th scope="col"><span class="unseen">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {rows.map((image) => {
                const name = image.Name || image.Id;
                return (
                  <tr key={name} data-image={name}>
                    <th scope="row">{name}</th>
                    <td data-label="Source">{SOURCES[image.Source] || image.Source}</td>
                    <td data-label="Size" class="number">{format.bytes(image.SizeBytes)}</td>
                    <td data-label="Used by" class="number">{image.UsedBy === undefined ? '–' : image.UsedBy}</td>
                    <td class="buttons">
                      {mayChange() && <Button icon="remove" label={`Delete ${name}`} kind="risky" onClick={() => remove(name)} />}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
