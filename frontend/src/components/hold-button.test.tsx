// @vitest-environment jsdom
import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { KillHoldButton } from "./hold-button";

beforeEach(() => {
  vi.useFakeTimers();
  // The simulated page has no pointer capture.
  HTMLElement.prototype.setPointerCapture = () => undefined;
});
afterEach(() => {
  vi.useRealTimers();
});

function show(busy = false) {
  const onHeld = vi.fn();
  const onKeyboard = vi.fn();
  render(<KillHoldButton onHeld={onHeld} onKeyboard={onKeyboard} busy={busy} />);
  const button = screen.getByTestId("kill-button");
  const wait = (ms: number) => 
    act(() => {
      vi.advanceTimersByTime(ms);
    });
  return { onHeld, onKeyboard, button, wait };
}

it("acts once after a whole second", () => {
  const { onHeld, button, wait } = show();
  fireEvent.pointerDown(button, { button: 0 });
  wait(999);
  expect(onHeld).not.toHaveBeenCalled();
  wait(1);
  expect(onHeld).toHaveBeenCalledTimes(1);
  wait(5000);
  expect(onHeld).toHaveBeenCalledTimes(1);
});

it("cancels on an early release and starts from nothing again", () => {
  const { onHeld, button, wait } = show();
  fireEvent.pointerDown(button, { button: 0 });
  wait(700);
  fireEvent.pointerUp(button);
  fireEvent.pointerDown(button, { button: 0 });
  wait(700);
  expect(onHeld).not.toHaveBeenCalled();
});

it("opens the dialog from the keyboard instead, once per press", () => {
  const { onHeld, onKeyboard, button, wait } = show();
  fireEvent.keyDown(button, { key: "Enter" });
  fireEvent.keyDown(button, { key: "Enter", repeat: true });
  wait(3000);
  expect(onKeyboard).toHaveBeenCalledTimes(1);
  expect(onHeld).not.toHaveBeenCalled();
});

it("does nothing while a kill is pending", () => {
  const busy = show(true);
  fireEvent.pointerDown(busy.button, { button: 0 });
  busy.wait(2000);
  expect(busy.onHeld).not.toHaveBeenCalled();
});
