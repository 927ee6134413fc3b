const base = __API__;

/** What the server said when it said no. */
export class ApiError extends Error {}

async function call(method, path, body) {
  const response = await fetch(base + path, {
    method,
    headers: body ? { "content-type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new ApiError(answer.error ?? `the server answered ${response.status}`);
  }
  return answer;
}

export const motd = async () => (await call("GET", "/api/motd")).motd;
export const version = async () => (await call("GET", "/api/version")).version;
export const tasks = () => call("GET", "/api/tasks");
export const board = () => call("GET", "/api/board");
export const addTask = (title) => call("POST", "/api/tasks", { title });
export const startTask = (id) => call("PATCH", `/api/tasks/${id}/start`);
export const finishTask = (id) => call("PATCH", `/api/tasks/${id}/done`);
