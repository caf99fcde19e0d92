"use strict";

// The key is kept for this tab only. All that comes from the server is put into the page as text.

const EVERY = 1500;
// The most characters of a log that the page keeps; the whole is on the server.
const LOG_MOST = 1000000;

const $ = (id) => document.getElementById(id);

let key = sessionStorage.getItem("key");
let shown = null; // the id of the execution that is looked at
let following = null; // what ends its event stream
let timer = null;

function element(name, text, attributes) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes || {})) made.setAttribute(attribute, value);
  return made;
}

function facts(list, pairs) {
  list.replaceChildren();
  for (const [name, value] of pairs) {
    if (value === undefined || value === null || value === "") continue;
    const group = element("div");
    group.append(element("dt", name), element("dd", value));
    list.append(group);
  }
}

function complain(message) {
  $("error").textContent = message || "";
  $("error").hidden = !message;
}

async function call(path, options) {
  const answer = await fetch(path, { ...options, headers: { Authorization: `Bearer ${key}` } });
  if (answer.ok) return answer;
  let message = `the server answered ${answer.status}`;
  try {
    message = (await answer.json()).errorMessage || message;
  } catch (_) { /* not JSON: the status says it */ }
  const error = new Error(message);
  error.status = answer.status;
  throw error;
}

const ask = async (path, options) => (await call(path, options)).json();

// Errors that are told, whatever was clicked.
const told = (action) => async (...event) => {
  try {
    await action(...event);
    complain("");
  } catch (error) {
    if (error.status === 401) signOut();
    complain(error.message);
  }
};

function duration(execution) {
  if (!execution.started) return "";
  const end = execution.ended ? Date.parse(execution.ended) : Date.now();
  const seconds = Math.max(0, end - Date.parse(execution.started)) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

const when = (text) => (text ? new Date(text).toLocaleString() : "");

const work = (execution) =>
  execution.function || [execution.command, ...(execution.arguments || [])].join(" ");

const hasFailed = (execution) =>
  execution.state === "ended" && execution.exit_code !== 0;

function state(execution) {
  let text = execution.state;
  if (execution.position) text += `, place ${execution.position}`;
  if (execution.waits_for) text += `, waits for the limit of the ${execution.waits_for.replace("-", " ")}`;
  if (execution.state === "ended") {
    text = execution.exit_code === null || execution.exit_code === undefined
      ? "not run" : `ended with ${execution.exit_code}`;
    if (execution.report && execution.report.limit) text = `ended by the limit of ${execution.report.limit}`;
  }
  return element("span", text, { class: `state ${hasFailed(execution) ? "failed" : execution.state}` });
}

function row(execution) {
  const made = element("tr");
  if (execution.id === shown) made.setAttribute("aria-current", "true");
  const open = element("button", work(execution), { type: "button", class: "link" });
  open.addEventListener("click", told(() => show(execution.id)));
  const cells = [open, state(execution), when(execution.created), duration(execution), execution.key];
  for (const content of cells) {
    const cell = element("td");
    cell.append(content || "");
    made.append(cell);
  }
  const id = element("td");
  id.append(element("code", execution.id.slice(0, 8), { title: execution.id }));
  made.append(id);
  return made;
}

async function refresh() {
  const list = await ask("/v1/executions");
  const focused = document.activeElement && document.activeElement.closest("#executions tr");
  const place = focused ? focused.rowIndex : -1;
  $("executions").tBodies[0].replaceChildren(...list.executions.map(row));
  if (place > 0) {
    const again = $("executions").rows[place];
    if (again) again.querySelector("button").focus();
  }
  $("none").hidden = list.executions.length > 0;
  $("load").textContent = `${list.running} running, ${list.queued} waiting`;
}

function append(pane, text) {
  // Follows the end only if the reader is there.
  const atEnd = pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 8;
  pane.append(document.createTextNode(text));
  while (pane.textContent.length > LOG_MOST && pane.childNodes.length > 1) pane.firstChild.remove();
  if (atEnd) pane.scrollTop = pane.scrollHeight;
}

function describe(execution) {
  $("detail-title").textContent = work(execution);
  const isFinal = ["ended", "stopped", "lost"].includes(execution.state);
  $("stop").disabled = isFinal;
  $("download").hidden = !(isFinal && execution.command);
  const report = execution.report || {};
  const megabytes = (bytes) => (bytes || bytes === 0 ? `${(bytes / 1048576).toFixed(1)} MB` : null);
  facts($("facts"), [
    ["State", state(execution).textContent],
    ["Id", execution.id],
    ["Created", when(execution.created)],
    ["Started", when(execution.started)],
    ["Ended", when(execution.ended)],
    ["Ran for", duration(execution)],
    ["Limit of memory", execution.limits.max_memory && `${execution.limits.max_memory} MB`],
    ["Limit of time", execution.limits.max_time && `${execution.limits.max_time} min`],
    ["Peak memory", megabytes(report.peak_memory_bytes)],
    ["CPU time", report.user_seconds !== undefined ? `${report.user_seconds} s` : null],
    ["Ended by the limit of", report.limit],
    ["What happened", execution.message],
  ]);
  const outputs = execution.output || [];
  $("outputs-title").hidden = outputs.length === 0;
  $("outputs").replaceChildren(...outputs.map((output) => {
    const item = element("li");
    const fetchIt = element("button", output.path, { type: "button", class: "link" });
    fetchIt.addEventListener("click", told(() => save(
      `/${author}/${execution.function}/executions/${execution.id}/output/${output.id}`,
      output.path.split("/").pop())));
    item.append(fetchIt);
    return item;
  }));
}

let author = "";

async function save(path, name) {
  const blob = await (await call(path)).blob();
  const url = URL.createObjectURL(blob);
  const link = element("a", null, { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

// Server-sent events by fetch: EventSource can't send the key.
async function follow(id, signal) {
  const at = { stdout: 0, stderr: 0 };
  for (;;) {
    const answer = await call(`/v1/executions/${id}/events?stdout=${at.stdout}&stderr=${at.stderr}`, { signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
      let end;
      while ((end = text.indexOf("\n\n")) >= 0) {
        const isLast = await handle(text.slice(0, end), id, at);
        if (isLast) return;
        text = text.slice(end + 2);
      }
    }
    // The server went away; it may be back in a moment.
    await new Promise((resolve) => { setTimeout(resolve, EVERY); });
  }
}

async function handle(event, id, at) {
  const part = (name) => event.split("\n")
    .filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2)).join("\n");
  const name = part("event");
  if (!name || shown !== id) return name === "ended";
  const data = JSON.parse(part("data"));
  if (name === "stdout" || name === "stderr") {
    append($(name === "stdout" ? "log" : "errors"), data.text);
    if (name === "stderr") $("errors-part").hidden = false;
    at[name] = data.next;
  } else if (name === "status") {
    describe(await ask(`/v1/executions/${id}`));
  } else if (name === "ended") {
    describe(data);
    await refresh();
    return true;
  } else if (name === "deleted") {
    close();
    return true;
  }
  return false;
}

async function show(id) {
  close();
  const execution = await ask(`/v1/executions/${id}`);
  shown = id;
  $("log").replaceChildren();
  $("errors").replaceChildren();
  $("errors-part").hidden = true;
  describe(execution);
  $("detail").hidden = false;
  $("detail-title").focus();
  await refresh();
  following = new AbortController();
  follow(id, following.signal).catch((error) => {
    if (error.name !== "AbortError") complain(error.message);
  });
}

function close() {
  if (following) following.abort();
  following = null;
  shown = null;
  $("detail").hidden = true;
}

async function sandbox(name) {
  const explained = await ask(`/v1/commands/${encodeURIComponent(name)}/sandbox`);
  $("sandbox-title").textContent = name;
  facts($("sandbox-facts"), [
    ["Runs as", explained.identity],
    ["Working directory", explained.working_directory],
    ...explained.limits.map(([limit, value]) => [limit, value]),
  ]);
  $("mounts").tBodies[0].replaceChildren(...explained.mounts.map((mount) => {
    const made = element("tr");
    const path = element("td");
    path.append(element("code", mount.path));
    made.append(path, element("td", mount.access), element("td", mount.what), element("td", mount.why));
    return made;
  }));
  $("protections").replaceChildren(...explained.protections.map(([title, meaning]) =>
    element("li", `${title}: ${meaning}`)));
  $("sandbox").hidden = false;
  $("sandbox-title").focus();
}

async function signIn(given) {
  key = given;
  const who = await ask("/v1/whoami");
  sessionStorage.setItem("key", key);
  author = who.author;
  const title = who.server || "Opt-Server";
  $("server").textContent = title;
  document.title = title;
  $("name").textContent = who.master ? "master key" : who.name;
  const limits = who.limits || {};
  facts($("limits"), [
    ["Name", who.name],
    ...(who.user_group ? [["User group", `${who.user_group} (as ${who.user})`]] : []),
    ["Functions", who.functions.map((name) => `${who.author}/${name}`).join(", ") || "none"],
    ["Commands", who.commands ? "yes" : "no"],
    ["Memory", limits.max_memory ? `${limits.max_memory} MB each` : "the server's limit"],
    ["Time", limits.max_time ? `${limits.max_time} min each` : "the server's limit"],
    ["At once", limits.max_parallel_jobs || who.max_running],
  ]);
  $("sign-in").hidden = true;
  $("signed-in").hidden = false;
  $("who").hidden = false;
  await refresh();
  if (who.commands) await listCommands();
  timer = setInterval(told(refresh), EVERY);
}

async function listCommands() {
  const { commands } = await ask("/v1/commands");
  $("commands").replaceChildren(...commands.map((name) => {
    const made = element("button", name, { type: "button" });
    made.addEventListener("click", told(() => sandbox(name)));
    return made;
  }));
  $("commands-part").hidden = commands.length === 0;
}

function signOut() {
  close();
  clearInterval(timer);
  sessionStorage.removeItem("key");
  key = null;
  for (const id of ["signed-in", "who", "commands-part", "sandbox"]) $(id).hidden = true;
  $("executions").tBodies[0].replaceChildren();
  $("load").textContent = "";
  $("sign-in").hidden = false;
  $("key").value = "";
  $("key").focus();
}

$("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  told(() => signIn($("key").value.trim()))();
});
$("sign-out").addEventListener("click", () => { signOut(); complain(""); });
$("close").addEventListener("click", close);
$("stop").addEventListener("click", told(async () => {
  describe(await ask(`/v1/executions/${shown}/stop`, { method: "POST" }));
}));
$("delete").addEventListener("click", told(async () => {
  const id = shown;
  close();
  await ask(`/v1/executions/${id}`, { method: "DELETE" });
  await refresh();
}));
$("download").addEventListener("click", told(() => save(`/v1/executions/${shown}/files`, "files.tar.gz")));

if (key) told(() => signIn(key))();
else signOut();
