/**
 * Keys of the console. Nothing that starts, resumes or loosens has a key; keys that command the
 * engine need Shift, so that a half-typed "go to" can never pause.
 */
export type KeyAct =
  | { readonly act: "go"; readonly key: string }
  | { readonly act: "pause" | "kill" | "help" | "banners" };

export interface KeyPress {
  readonly key: string;
  readonly shift: boolean;
  readonly modified: boolean;
  readonly repeat: boolean;
  /** A field has the focus, or a dialog is open. */
  readonly busy: boolean;
}

const CHORD_MS = 1200;

/** Turns presses into acts; remembers only a started "G" chord. */
export class Keyboard {
  private chordAt = -Infinity;

  press(press: KeyPress, nowMs: number): KeyAct | null {
    if (press.busy || press.modified || press.repeat) return null;
    const key = press.key.toUpperCase();
    const chord = nowMs - this.chordAt < CHORD_MS;
    this.chordAt = -Infinity;
    if (press.shift) {
      if (key === "P") return { act: "pause" };
      if (key === "K") return { act: "kill" };
      return key === "?" ? { act: "help" } : null;
    }
    if (chord) return { act: "go", key };
    if (key === "G") this.chordAt = nowMs;
    if (key === "?") return { act: "help" };
    return key === "B" ? { act: "banners" } : null;
  }
}

/** Whether typing or a dialog takes the keys. */
export function keysTaken(target: EventTarget | null): boolean {
  const typing =
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
  return typing || document.querySelector("[role=dialog],[role=alertdialog]") !== null;
}
