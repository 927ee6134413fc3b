import * as api from "./api.js";
import { Board } from "./board.js";
import { TAGLINE, greeting } from "./greeting.js";
import { drawBoard } from "./view.js";

const find = (id) => document.getElementById(id);
const board = new Board();

const actions = {
  start: (id) => attempt(async () => board.replace(await api.startTask(id))),
  finish: (id) => attempt(async () => board.replace(await api.finishTask(id))),
};

function draw() {
  drawBoard(find("board"), board, actions);
}

/** Runs a step, shows why it failed if it did, and draws what is known then. */
async function attempt(step) {
  try {
    await step();
    find("error").textContent = "";
  } catch (error) {
    find("error").textContent = error.message;
  }
  draw();
}

async function add(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const key = board.addPending(form.elements.title.value);
  draw();
  await attempt(async () => {
    try {
      board.settle(key, await api.addTask(form.elements.title.value));
      form.reset();
    } catch (error) {
      board.drop(key);
      throw error;
    }
  });
}

find("greeting").textContent = greeting(new Date().getHours());
find("tagline").textContent = TAGLINE;
find("version").textContent = `page ${__VERSION__}`;
find("add").addEventListener("submit", add);

attempt(async () => {
  const [motd, version, { columns }, tasks] = await Promise.all([
    api.motd(),
    api.version(),
    api.board(),
    api.tasks(),
  ]);
  find("motd").textContent = motd;
  find("version").textContent += `, server ${version}`;
  board.load(columns, tasks);
});
