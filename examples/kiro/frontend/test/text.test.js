import assert from "node:assert/strict";
import { test } from "node:test";

import { greeting } from "../src/greeting.js";
import { ago } from "../src/time.js";

test("times are told as people do", () => {
  const now = new Date("2025-05-05T12:00:00Z");
  assert.equal(ago("2025-05-05T09:00:00Z", now), "3 hours ago");
  assert.equal(ago(null, now), "");
});

test("there is a greeting for every hour", () => {
  assert.equal(greeting(8), "Good morning");
  assert.equal(greeting(23), "Good evening");
});
