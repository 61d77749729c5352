// Redfish over fetch. The session is a cookie that scripts cannot see; what is kept here is only where the
// session's resource is and whose it is.

const ROOT = '/redfish/v1';
const KEPT = 'innkeeper-session';
// With it, an answer of 401 does not make the browser ask for a password by a dialog of its own.
const BY_SCRIPT = { 'X-Requested-With': 'XMLHttpRequest' };

export const paths = {
  sessions: `${ROOT}/SessionService/Sessions`,
  systems: `${ROOT}/Systems`,
  system: (name) => `${ROOT}/Systems/${encodeURIComponent(name)}`,
  reset: (name) => `${ROOT}/Systems/${encodeURIComponent(name)}/Actions/ComputerSystem.Reset`,
  images: `${ROOT}/Oem/Innkeeper/Images`,
  image: (name) => `${ROOT}/Oem/Innkeeper/Images/${encodeURIComponent(name)}`,
  tasks: `${ROOT}/TaskService/Tasks`,
  host: `${ROOT}/Managers/innkeeper`,
  hostReset: `${ROOT}/Managers/innkeeper/Actions/Manager.Reset`,
  chassis: `${ROOT}/Chassis/innkeeper`,
  log: `${ROOT}/Managers/innkeeper/LogServices/Log/Entries`,
  events: `${ROOT}/EventService`,
  account: (name) => `${ROOT}/AccountService/Accounts/${encodeURIComponent(name)}`,
};

/** What went wrong, in words for the user. `status` 0: no answer at all. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');

/** What a Redfish error body says: its extended info, which is more to the point than its summary. Of that,
 * Innkeeper's own messages say all; those of the standard's registry are general. */
export function errorText(body, status) {
  const error = body && body.error;
  const details = ((error && error['@Message.ExtendedInfo']) || []).filter((info) => info.Message);
  const own = details.filter((info) => /^Innkeeper\./.test(info.MessageId));
  const texts = (own.length > 0 ? own : details).map((info) => sentence(info.Message));
  if (texts.length > 0) return [...new Set(texts)].join(' ');
  if (error && error.message) return error.message;
  const usual = {
    401: 'You are not logged in.',
    403: 'Your account may not do that.',
    404: 'That is not there (any more).',
    413: 'That is too large.',
    429: 'Too many attempts; wait a moment.',
    503: 'The server is busy; try again.',
  };
  return usual[status] || `The server answered with status ${status}.`;
}

let onUnauthorized = () => {};

/** Calls `callback` when an answer says that the session is over. */
export function whenUnauthorized(callback) {
  onUnauthorized = callback;
}

/** Asks the server; returns {status, body, location}. Throws ApiError. */
export async function request(method, path, body) {
  let response, text;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? BY_SCRIPT : { ...BY_SCRIPT, 'Content-Type': 'application/json' },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
    });
    text = await response.text();
  } catch {
    throw new ApiError('The server does not answer.', 0);
  }
  let parsed;
  try {
    parsed = text ? JSON.parse(text) : undefined;
  } catch {
    parsed = undefined;
  }
  if (!response.ok) {
    if (response.status === 401) onUnauthorized();
    throw new ApiError(errorText(parsed, response.status), response.status);
  }
  return { status: response.status, body: parsed, location: response.headers.get('Location') };
}

export const get = async (path) => (await request('GET', path)).body;

/** The members of a collection, whole, even if the server sends only links. */
export async function getMembers(path, options = '') {
  const collection = await get(`${path}?$expand=.${options}`);
  return Promise.all(
    (collection.Members || []).map((member) => (member.Id === undefined ? get(member['@odata.id']) : member)),
  );
}

/** Uploads a file; `progress` gets how much of it was sent, from 0 to 1. Returns {promise, cancel}. */
export function upload(path, file, progress) {
  const transfer = new XMLHttpRequest();
  const promise = new Promise((resolve, reject) => {
    transfer.open('PUT', path);
    transfer.setRequestHeader('Content-Type', 'application/octet-stream');
    for (const [name, value] of Object.entries(BY_SCRIPT)) transfer.setRequestHeader(name, value);
    transfer.upload.onprogress = (event) => progress(event.total ? event.loaded / event.total : 0);
    transfer.onload = () => {
      if (transfer.status >= 200 && transfer.status < 300) return resolve();
      let body;
      try {
        body = JSON.parse(transfer.responseText);
      } catch {
        body = undefined;
      }
      if (transfer.status === 401) onUnauthorized();
      return reject(new ApiError(errorText(body, transfer.status), transfer.status));
    };
    transfer.onerror = () => reject(new ApiError('The connection broke.', 0));
    transfer.onabort = () => reject(new ApiError('The upload was cancelled.', 0));
    transfer.send(file);
  });
  return { promise, cancel: () => transfer.abort() };
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) || {};
  } catch {
    return {};
  }
}

async function roleOf(user) {
  try {
    return (await get(paths.account(user))).RoleId;
  } catch {
    return undefined;
  }
}

/** Logs in; returns {user, role}. */
export async function login(user, password) {
  let answer;
  try {
    answer = await request('POST', paths.sessions, { UserName: user, Password: password });
  } catch (error) {
    if (error.status === 401) throw new ApiError('Wrong user name or password.', 401);
    throw error;
  }
  const session = (answer.body && answer.body['@odata.id']) || answer.location;
  localStorage.setItem(KEPT, JSON.stringify({ user, session }));
  return { user, role: await roleOf(user) };
}

/** {user, role} of a session that still is; undefined if there is none. */
export async function resume() {
  const { user } = kept();
  if (!user) return undefined;
  try {
    await get(paths.sessions);
    return { user, role: await roleOf(user) };
  } catch (error) {
    if (error.status === 401) return undefined;
    throw error;
  }
}

export async function logout() {
  const { session } = kept();
  localStorage.removeItem(KEPT);
  if (session) await request('DELETE', session);
}
