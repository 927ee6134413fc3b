import { nanoid } from "nanoid";

/** The tasks as the page knows them, with those that the server has not confirmed yet. */
export class Board {
  columns = [];
  tasks = [];

  load(columns, tasks) {
    this.columns = columns;
    this.tasks = tasks;
  }

  /** Shows a task at once; gives back the key under which `settle` or `drop` finds it. */
  addPending(title) {
    const key = nanoid(8);
    this.tasks = [...this.tasks, { key, title, state: "todo", pending: true }];
    return key;
  }

  settle(key, task) {
    this.tasks = this.tasks.map((known) => (known.key === key ? task : known));
  }

  drop(key) {
    this.tasks = this.tasks.filter((known) => known.key !== key);
  }

  replace(task) {
    this.tasks = this.tasks.map((known) => (known.id === task.id ? task : known));
  }

  in(state) {
    return this.tasks.filter((task) => task.state === state);
  }
}
