/**
 * Page scroll lock for open dialogs, in place of the library that writes a <style> element.
 *
 * Same export as that library, so the headless components pick it up by alias. It sets one style
 * property through the DOM, which a strict content policy allows.
 */
import { type ElementType, type ReactNode, type Ref, useLayoutEffect } from "react";

let locks = 0;

function lock(): () => void {
  locks += 1;
  document.body.style.overflow = "hidden";
  return () => {
    locks -= 1;
    if (locks === 0) document.body.style.overflow = "";
  };
}

interface RemoveScrollProps {
  readonly as?: ElementType;
  readonly children?: ReactNode;
  readonly ref?: Ref<HTMLElement>;
}

export function RemoveScroll({ as: Part = "div", children, ref }: RemoveScrollProps) {
  useLayoutEffect(lock, []);
  return <Part ref={ref}>{children}</Part>;
}
