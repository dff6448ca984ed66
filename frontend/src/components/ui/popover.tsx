/** A small panel that opens from its trigger and gives focus back to it. */
import { Popover as Primitive } from "radix-ui";
import type { ReactNode } from "react";

interface PopoverProps {
  readonly trigger: ReactNode;
  readonly children: ReactNode;
  readonly label: string;
  readonly side?: "bottom" | "top" | "right";
}

export function Popover({ trigger, children, label, side = "bottom" }: PopoverProps) {
  return (
    <Primitive.Root>
      <Primitive.Trigger asChild>{trigger}</Primitive.Trigger>
      <Primitive.Portal>
        <Primitive.Content
          aria-label={label}
          side={side}
          align="start"
          sideOffset={8}
          collisionPadding={12}
          className="z-40 w-[280px] rounded-card border border-line-2 bg-surface-2 p-3.5 shadow-overlay"
        >
          {children}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
