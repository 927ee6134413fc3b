export const TAGLINE = "Everything your team has to do, on one page.";

/** A greeting for the hour of the day. */
export function greeting(hour) {
  if (hour < 5) return "Still up?";
  if (hour < 12) return "Good morning";
  if (hour < 18) return "Good afternoon";
  return "Good evening";
}
