"use strict";
// The token lives in this variable only: a reload logs in anew, and no script of another page can read it.
let config, token, socket, pinging, answered;
const $ = (id) => document.getElementById(id);
const money = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

async function call(path, method = "GET", body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(config.api_base_url + path, { method, headers, body: body && JSON.stringify(body) });
  const content = answer.status === 204 ? null : await answer.json();
  if (answer.status === 401 && token) leave("Your session has ended.");
  if (!answer.ok) throw new Error(content.detail || `the server answered ${answer.status}`);
  return content;
}

async function login(event) {
  event.preventDefault();
  const form = new FormData($("login"));
  const body = { username: form.get("username"), password: form.get("password") };
  if (form.get("totp")) body.totp = form.get("totp").trim();
  try {
    token = (await call("/api/v1/auth/login", "POST", body)).access_token;
    $("login").reset();
    await enter();
  } catch (error) { $("login-message").textContent = error.message; }
}

async function enter() {
  const me = await call("/api/v1/auth/me");
  $("who").textContent = `${me.username} (${me.role})`;
  show(true);
  connect();
  await list(me.role !== "viewer");
}

function show(inside) {
  $("login").hidden = inside;
  $("portfolios").hidden = $("logout").hidden = !inside;
  $("login-message").textContent = "";
}

async function list(mayCalculate) {
  const { items } = await call("/api/v1/portfolios");
  const par = items.reduce((sum, deal) => sum + Number(deal.total_par), 0);
  const positions = items.reduce((sum, deal) => sum + deal.positions, 0);
  $("figures").replaceChildren(figure(items.length, "deals"), figure(money.format(positions), "active positions"),
    figure(`${money.format(par / 1e6)} m`, "par in all"));
  $("deals").replaceChildren(...items.map((deal) => row(deal, mayCalculate)));
}

function figure(value, name) {
  const box = element("div", "", "figure");
  box.append(element("b", value), element("span", name));
  return box;
}

function element(tag, text, style) {
  const made = document.createElement(tag);
  made.textContent = text ?? "";
  if (style) made.className = style;
  return made;
}

function row(deal, mayCalculate) {
  const share = Number(deal.target_par_amount) ? (deal.total_par / deal.target_par_amount * 100).toFixed(1) + " %" : "";
  const line = element("tr");
  line.append(element("td", deal.deal_id), element("td", deal.deal_name), element("td", deal.manager_name),
    element("td", deal.deal_status), element("td", money.format(deal.positions), "number"),
    element("td", money.format(deal.total_par), "number"), element("td", share, "number"), element("td", deal.maturity_date));
  const last = element("td");
  if (mayCalculate) {
    const button = element("button", "Calculate", "quiet");
    button.addEventListener("click", () => calculate(deal.deal_id));
    last.append(button);
  }
  line.append(last);
  return line;
}

async function calculate(deal_id) {
  try {
    const job = await call("/api/v1/calculations", "POST", { deal_id });
    news(`Calculation ${job.job_id} of ${deal_id} queued`);
  } catch (error) { $("message").textContent = error.message; }
}

function news(text) {
  $("news").prepend(element("li", `${new Date().toLocaleTimeString("en-GB")}  ${text}`));
  while ($("news").children.length > 20) $("news").lastChild.remove();
}

function live(state, text) {
  $("live").dataset.state = state;
  $("live").textContent = text;
}

function connect() {
  live("closed", "connecting");
  socket = new WebSocket(`${config.websocket_url}?token=${encodeURIComponent(token)}`);
  const mine = socket;
  mine.addEventListener("open", () => { answered = performance.now(); pinging = setInterval(() => ping(mine), 2000); });
  mine.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  mine.addEventListener("close", (event) => {
    clearInterval(pinging);
    live("closed", "not connected");
    if (event.code === 4401) leave("Your session has ended.");
    else if (token) setTimeout(() => token && connect(), 2000);
  });
}

function ping(mine) {
  if (mine.readyState !== WebSocket.OPEN) return;
  if (performance.now() - answered > 6000) live("silent", "connected, no answer");
  mine.send(JSON.stringify({ type: "ping", nonce: String(performance.now()) }));
}

function hear(message) {
  if (message.type === "welcome") live("open", "live");
  if (message.type === "pong") {
    answered = performance.now();
    live("open", `live, ${(answered - Number(message.nonce)).toFixed(1)} ms`);
  }
  if (message.type === "job") news(`${message.kind} ${message.job_id} of ${message.deal_id || "all deals"}: ${message.status}`);
}

function leave(text) {
  token = undefined;
  if (socket) socket.close();
  $("who").textContent = "";
  show(false);
  $("login-message").textContent = text || "";
}

async function logout() {
  try { await call("/api/v1/auth/logout", "POST"); } catch { /* already ended */ }
  leave();
}

$("login").addEventListener("submit", login);
$("logout").addEventListener("click", logout);
fetch("/config.json").then((answer) => answer.json()).then((found) => { config = found; });
