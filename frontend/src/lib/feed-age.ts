/**
 * The age a live row is judged by: how long ago its feeds last proved they are alive.
 *
 * A row travels only when it changes, while the status stream keeps saying how old each venue's
 * proof is. A fresh word about the venues therefore excuses the time since the row was sent, but
 * never makes the row younger than it was when sent. A lost line ages both.
 */
import type { Spread, Status } from "./frames";

export function feedAge(
  row: Pick<Spread, "proof_age_ms" | "at_ns">,
  status: Pick<Status, "venues" | "beat_ns"> | undefined,
  nowMs: number,
): number | null {
  if (row.proof_age_ms === null) return null;
  const byRow = row.proof_age_ms + Math.max(0, nowMs - row.at_ns / 1e6);
  if (status === undefined) return byRow;
  const proofs = status.venues
    .filter((venue) => venue.status !== "standby")
    .map((venue) => venue.proof_age_ms);
  if (proofs.length === 0 || proofs.includes(null)) return byRow;
  const worst = Math.max(...proofs.map((proof) => proof ?? 0));
  const byVenues = worst + Math.max(0, nowMs - status.beat_ns / 1e6);
  return Math.max(row.proof_age_ms, Math.min(byRow, byVenues));
}
