import dayjs from "dayjs";
import relativeTime from "dayjs/plugin/relativeTime.js";

dayjs.extend(relativeTime);

/** "3 hours ago", or nothing where there is no time. */
export function ago(time, now = new Date()) {
  return time ? dayjs(time).from(now) : "";
}
