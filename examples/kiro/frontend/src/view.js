import { ago } from "./time.js";

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function card(task, actions) {
  const node = element(
    "li",
    { className: task.pending ? "card pending" : "card" },
    element("span", { className: "title", textContent: task.title }),
    element("time", { textContent: ago(task.done_at ?? task.created_at) }),
  );
  const button = (textContent, onclick) => node.append(element("button", { textContent, onclick }));
  if (!task.pending && task.state === "todo") button("Start", () => actions.start(task.id));
  if (!task.pending && task.state !== "done") button("Done", () => actions.finish(task.id));
  return node;
}

export function drawBoard(root, board, actions) {
  root.replaceChildren(
    ...board.columns.map(({ state, label }) => {
      const tasks = board.in(state);
      return element(
        "section",
        { className: `column ${state}` },
        element("h2", { textContent: `${label} (${tasks.length})` }),
        element("ul", {}, ...tasks.map((task) => card(task, actions))),
      );
    }),
  );
}
