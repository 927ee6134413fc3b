import assert from "node:assert/strict";
import { test } from "node:test";

import { Board } from "../src/board.js";

test("a new task is shown before the server knows it", () => {
  const board = new Board();
  const key = board.addPending("order coffee");
  assert.equal(board.in("todo")[0].pending, true);

  board.settle(key, { id: 1, title: "order coffee", state: "todo" });
  assert.deepEqual(board.tasks, [{ id: 1, title: "order coffee", state: "todo" }]);
});

test("a refused task disappears", () => {
  const board = new Board();
  board.drop(board.addPending(" "));
  assert.deepEqual(board.tasks, []);
});

test("a moved task changes its column", () => {
  const board = new Board();
  board.load([], [{ id: 1, state: "todo" }]);
  board.replace({ id: 1, state: "done" });
  assert.equal(board.in("todo").length, 0);
  assert.equal(board.in("done").length, 1);
});
